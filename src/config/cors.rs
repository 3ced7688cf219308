//! Which origins may call from a browser.

use url::Url;

use super::reader::Reader;

/// `OPENAPI_CORS_ALLOW_ORIGINS`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowOrigins {
    /// These, as browsers write them; none when empty.
    Listed(Vec<String>),
    /// Every one.
    Any,
}

impl AllowOrigins {
    /// Which, unless it is every one.
    pub fn listed(&self) -> Option<Vec<String>> {
        match self {
            Self::Listed(origins) => Some(origins.clone()),
            Self::Any => None,
        }
    }

    /// Reads the section; `*` is safe only because bearer routes ignore cookies, so it needs bearers switched on.
    pub(super) fn read(reader: &mut Reader<'_>, bearer_enabled: bool) -> Self {
        const NAME: &str = "OPENAPI_CORS_ALLOW_ORIGINS";
        let parts = reader.list(NAME).unwrap_or_default();
        if parts.iter().any(|part| part == "*") {
            if !bearer_enabled {
                reader.problem(NAME, "is * while ENABLE_OAUTH_BEARER is false; list the origins, or leave it empty");
            }
            if parts.len() > 1 {
                reader.problem(NAME, "lists * together with other origins; write either * or the origins");
            }
            return Self::Any;
        }
        let mut origins = Vec::with_capacity(parts.len());
        for part in parts {
            match Url::parse(&part).map(|url| url.origin()) {
                Ok(origin) if origin.is_tuple() && origin.ascii_serialization().eq_ignore_ascii_case(&part) => {
                    origins.push(origin.ascii_serialization());
                }
                Ok(origin) if origin.is_tuple() => {
                    let origin = origin.ascii_serialization();
                    reader.problem(NAME, format_args!("contains an entry that is not a bare origin; write {origin}"));
                }
                _ => reader.problem(
                    NAME,
                    "contains an entry that is not an origin; write origins like https://app.example.com",
                ),
            }
        }
        Self::Listed(origins)
    }
}
