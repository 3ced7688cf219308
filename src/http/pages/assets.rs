//! The style sheet, the script and the icon. Their paths contain a hash of their content, so that browsers may cache
//! them without limit.

use bytes::Bytes;
use serde::Serialize;

use crate::domain::{
    branding::{AccentColors, Branding},
    secret::sha256_hex,
};

/// The folder of the pages' assets in the URL.
pub(super) const FOLDER: &str = "/device/assets";
/// The same for pages on the host of the API, where a gateway may serve `/openapi` only.
pub(super) const EXTERNAL_FOLDER: &str = "/openapi/v1/oauth/device/assets";
/// Characters of the hash in a path.
const HASH_LENGTH: usize = 12;

const CSS: &str = include_str!("assets/pages.css");
const JS: &str = include_str!("assets/pages.js");
const ICON: &str = include_str!("assets/icon.svg");
/// The colour of the icon, which an accent replaces.
const ICON_COLOR: &str = "#1f4fd8";

/// A file that the pages load.
pub(super) struct Asset {
    /// The last segment of its path.
    file: String,
    pub media_type: &'static str,
    pub content: Bytes,
}

impl Asset {
    fn new(stem: &str, extension: &str, media_type: &'static str, content: impl Into<Bytes>) -> Self {
        let content = content.into();
        let hash = &sha256_hex(&content)[..HASH_LENGTH];
        Self { file: format!("{stem}.{hash}.{extension}"), media_type, content }
    }

    fn path(&self, folder: &str) -> String {
        format!("{folder}/{}", self.file)
    }
}

/// The files of a deployment, in its colours.
pub(super) struct Assets {
    css: Asset,
    js: Asset,
    icon: Asset,
}

impl Assets {
    pub(super) fn new(branding: &Branding) -> Self {
        let css = branding.accent.map_or_else(|| CSS.to_owned(), |accent| format!("{CSS}{}", accent_css(&accent)));
        let icon = match (&branding.logo, branding.accent) {
            (Some(logo), _) => Asset::new("logo", logo.extension, logo.media_type, logo.content.clone()),
            (None, Some(accent)) => {
                Asset::new("icon", "svg", "image/svg+xml", ICON.replace(ICON_COLOR, &accent.light.css()))
            }
            (None, None) => Asset::new("icon", "svg", "image/svg+xml", ICON),
        };
        Self {
            css: Asset::new("pages", "css", "text/css; charset=utf-8", css),
            js: Asset::new("pages", "js", "text/javascript; charset=utf-8", JS),
            icon,
        }
    }

    /// The paths in a folder of the URL.
    pub(super) fn paths(&self, folder: &str) -> AssetPaths {
        AssetPaths {
            css: self.css.path(folder),
            js: self.js.path(folder),
            icon: self.icon.path(folder),
            icon_type: self.icon.media_type,
        }
    }

    /// The asset with this last segment of a path. A path with another hash is of another version and not found.
    pub(super) fn find(&self, file: &str) -> Option<&Asset> {
        [&self.css, &self.js, &self.icon].into_iter().find(|asset| asset.file == file)
    }
}

/// The rules that put an accent over the colours of the style sheet.
fn accent_css(accent: &AccentColors) -> String {
    let AccentColors { light, light_over, dark, dark_over } = *accent;
    format!(
        ":root {{ --primary: {}; --primary-over: {}; }}\n@media (prefers-color-scheme: dark) {{ :root {{ --primary: {}; \
         --primary-over: {}; }} }}\n",
        light.css(),
        light_over.css(),
        dark.css(),
        dark_over.css()
    )
}

/// The paths of the assets, for templates.
#[derive(Clone, Debug, Serialize)]
pub(super) struct AssetPaths {
    css: String,
    js: String,
    icon: String,
    icon_type: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::branding::{Color, DARK, LIGHT, Logo};

    #[test]
    fn asset_is_found_by_its_full_name_only() {
        let assets = Assets::new(&Branding::default());
        assert_eq!(assets.find(&assets.css.file).map(|asset| asset.media_type), Some("text/css; charset=utf-8"));
        assert!(assets.find("pages.css").is_none());
        assert!(assets.find("../pages.css").is_none());
    }

    #[test]
    fn contrast_is_checked_against_the_colors_of_the_style_sheet() {
        let (light, dark) = CSS.split_once("prefers-color-scheme: dark").unwrap();
        for (scheme, names, colors) in [
            (light, ["on-primary", "ground"].as_slice(), LIGHT.as_slice()),
            (dark, &["on-primary", "card", "ground"], &DARK),
        ] {
            for (name, color) in names.iter().zip(colors) {
                assert!(scheme.contains(&format!("--{name}: {};", color.css())), "{name} {}", color.css());
            }
        }
        assert!(light.contains("--card: #ffffff;"));
    }

    #[test]
    fn assets_load_nothing_from_other_origins() {
        for content in [CSS, JS, ICON] {
            let content = content.replace("http://www.w3.org/2000/svg", "");
            assert!(
                !content.contains("http") && !content.contains("@import") && !content.contains("url("),
                "{content}"
            );
        }
    }

    #[test]
    fn assets_show_the_accent_and_the_logo_under_other_names() {
        let accent = Some(AccentColors::of(Color::parse("#0a7d55").unwrap()).unwrap());
        let (plain, colored) =
            (Assets::new(&Branding::default()), Assets::new(&Branding { accent, ..Branding::default() }));
        assert_ne!((&plain.css.file, &plain.icon.file), (&colored.css.file, &colored.icon.file));
        for asset in [&colored.css, &colored.icon] {
            assert!(std::str::from_utf8(&asset.content).unwrap().contains("#0a7d55"));
        }
        let logo = Logo::new(b"\x89PNG\r\n\x1a\n".to_vec());
        let branded = Assets::new(&Branding { logo, ..Branding::default() });
        assert_eq!(branded.paths(FOLDER).icon_type, "image/png");
    }
}
