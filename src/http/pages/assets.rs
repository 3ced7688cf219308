//! The style sheet, the script and the icon: under names that hold their hash, so that browsers keep them for good.

use axum::{body::Body, response::Response};
use http::{
    HeaderValue,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use serde::Serialize;

use super::visit::Visit;
use crate::domain::{Error, Result, secret::sha256_hex};

/// Characters of the hash that a name holds.
const HASH_LENGTH: usize = 12;

struct Source {
    stem: &'static str,
    extension: &'static str,
    media_type: &'static str,
    text: &'static str,
}

const CSS: Source = Source {
    stem: "pages",
    extension: "css",
    media_type: "text/css; charset=utf-8",
    text: include_str!("assets/pages.css"),
};
const JS: Source = Source {
    stem: "pages",
    extension: "js",
    media_type: "text/javascript; charset=utf-8",
    text: include_str!("assets/pages.js"),
};
const ICON: Source =
    Source { stem: "icon", extension: "svg", media_type: "image/svg+xml", text: include_str!("assets/icon.svg") };

impl Source {
    fn path(&self) -> String {
        let hash = &sha256_hex(self.text.as_bytes())[..HASH_LENGTH];
        format!("/device/assets/{}.{hash}.{}", self.stem, self.extension)
    }
}

/// Where the assets are, for templates.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Assets {
    css: String,
    js: String,
    icon: String,
}

impl Assets {
    /// Names them by what is in them.
    pub(super) fn new() -> Self {
        Self { css: CSS.path(), js: JS.path(), icon: ICON.path() }
    }

    fn find(&self, path: &str) -> Option<&'static Source> {
        [(&self.css, &CSS), (&self.js, &JS), (&self.icon, &ICON)]
            .into_iter()
            .find_map(|(known, source)| (known == path).then_some(source))
    }
}

/// An asset; a name with another hash is of another version, and not here.
pub(super) fn show(visit: &Visit) -> Result<Response> {
    let source = visit
        .site
        .look
        .assets()
        .find(visit.parts.uri.path())
        .ok_or_else(|| Error::not_found("There is no such file."))?;
    let mut response = Response::new(Body::from(source.text));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(source.media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_asset_is_found_by_its_full_name_only() {
        let assets = Assets::new();
        assert_eq!(assets.find(&assets.css).map(|source| source.media_type), Some("text/css; charset=utf-8"));
        assert!(assets.find("/device/assets/pages.css").is_none());
        assert!(assets.find("/device/assets/../pages.css").is_none());
    }

    #[test]
    fn no_asset_reaches_outside() {
        for source in [CSS, JS, ICON] {
            let text = source.text.replace("http://www.w3.org/2000/svg", "");
            assert!(
                !text.contains("http") && !text.contains("@import") && !text.contains("url("),
                "{}",
                source.extension
            );
        }
    }
}
