//! The origins whose scripts may call from a browser.

use url::Url;

use super::{reader::Reader, settings::OPENAPI_CORS_ALLOW_ORIGINS as SETTING};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowOrigins {
    /// Serialized as browsers do (RFC 6454 section 6.2).
    Listed(Vec<String>),
    Any,
}

impl AllowOrigins {
    /// The list; `None` if any origin is allowed.
    pub fn listed(&self) -> Option<Vec<String>> {
        match self {
            Self::Listed(origins) => Some(origins.clone()),
            Self::Any => None,
        }
    }

    /// `*` is safe only because bearer routes ignore cookies, so it requires bearer tokens to be enabled.
    pub(super) fn read(reader: &mut Reader<'_>, bearer_enabled: bool) -> Self {
        let parts = reader.list(&SETTING);
        if parts.iter().any(|part| part == "*") {
            if !bearer_enabled {
                reader
                    .problem(&SETTING, "is * while ENABLE_OAUTH_BEARER is false; list the origins, or leave it empty");
            }
            if parts.len() > 1 {
                reader.problem(&SETTING, "lists * together with other origins; write either * or the origins");
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
                    reader
                        .problem(&SETTING, format_args!("contains an entry that is not a bare origin; write {origin}"));
                }
                _ => reader.problem(
                    &SETTING,
                    "contains an entry that is not an origin; write origins like https://app.example.com",
                ),
            }
        }
        Self::Listed(origins)
    }
}
