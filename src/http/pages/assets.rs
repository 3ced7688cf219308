//! The style sheet, the script and the icon. Their paths contain a hash of their content, so that browsers may cache
//! them without limit.

use serde::Serialize;

use crate::domain::secret::sha256_hex;

/// The folder of the pages' assets in the URL.
pub(super) const FOLDER: &str = "/device/assets";
/// The same for pages on the host of the API, where a gateway may serve `/openapi` only.
pub(super) const EXTERNAL_FOLDER: &str = "/openapi/v1/oauth/device/assets";
/// Characters of the hash in a path.
const HASH_LENGTH: usize = 12;

/// A file compiled into the binary.
pub(super) struct Asset {
    stem: &'static str,
    extension: &'static str,
    pub media_type: &'static str,
    pub content: &'static str,
}

const CSS: Asset = Asset {
    stem: "pages",
    extension: "css",
    media_type: "text/css; charset=utf-8",
    content: include_str!("assets/pages.css"),
};
const JS: Asset = Asset {
    stem: "pages",
    extension: "js",
    media_type: "text/javascript; charset=utf-8",
    content: include_str!("assets/pages.js"),
};
const ICON: Asset =
    Asset { stem: "icon", extension: "svg", media_type: "image/svg+xml", content: include_str!("assets/icon.svg") };

impl Asset {
    fn path(&self, folder: &str) -> String {
        let hash = &sha256_hex(self.content.as_bytes())[..HASH_LENGTH];
        format!("{folder}/{}.{hash}.{}", self.stem, self.extension)
    }
}

/// The paths of the assets, for templates.
#[derive(Clone, Debug, Serialize)]
pub(super) struct AssetPaths {
    css: String,
    js: String,
    icon: String,
}

impl AssetPaths {
    /// The paths in a folder of the URL.
    pub(super) fn in_folder(folder: &str) -> Self {
        Self { css: CSS.path(folder), js: JS.path(folder), icon: ICON.path(folder) }
    }

    /// The asset with this path. A path with another hash is of another version and not found.
    pub(super) fn find(&self, path: &str) -> Option<&'static Asset> {
        [(&self.css, &CSS), (&self.js, &JS), (&self.icon, &ICON)]
            .into_iter()
            .find_map(|(known, asset)| (known == path).then_some(asset))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asset_is_found_by_its_full_path_only() {
        let paths = AssetPaths::in_folder(FOLDER);
        assert_eq!(paths.find(&paths.css).map(|asset| asset.media_type), Some("text/css; charset=utf-8"));
        assert!(paths.find("/device/assets/pages.css").is_none());
        assert!(paths.find("/device/assets/../pages.css").is_none());
    }

    #[test]
    fn assets_load_nothing_from_other_origins() {
        for asset in [CSS, JS, ICON] {
            let content = asset.content.replace("http://www.w3.org/2000/svg", "");
            assert!(
                !content.contains("http") && !content.contains("@import") && !content.contains("url("),
                "{}",
                asset.extension
            );
        }
    }
}
