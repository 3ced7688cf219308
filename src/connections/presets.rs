//! The providers that ship in the binary.

use std::collections::BTreeMap;

use super::manifest_file::read_manifest;
use crate::domain::{
    Error, Result,
    connection::{manifest::ProviderManifest, provider_key::ProviderKey},
};

/// Keys are those of Dify's plugins, so that connections made there are found.
const PRESETS: [(&str, &str); 7] = [
    ("langgenius/gmail/gmail", include_str!("presets/gmail.yaml")),
    ("langgenius/google_calendar/google_calendar", include_str!("presets/google_calendar.yaml")),
    ("langgenius/google_drive/google_drive", include_str!("presets/google_drive.yaml")),
    ("langgenius/github/github", include_str!("presets/github.yaml")),
    ("langgenius/slack/slack", include_str!("presets/slack.yaml")),
    ("langgenius/microsoft/microsoft", include_str!("presets/microsoft.yaml")),
    ("langgenius/notion/notion", include_str!("presets/notion.yaml")),
];

/// The manifests by key.
pub(crate) fn presets() -> Result<BTreeMap<ProviderKey, ProviderManifest>> {
    let read = |(key, text): &(&str, &str)| {
        Ok((key.parse().map_err(Error::internal)?, read_manifest(text, false).map_err(Error::internal)?))
    };
    PRESETS.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_valid_and_authorize_without_a_plugin() {
        let presets = presets().unwrap();
        assert_eq!(presets.len(), PRESETS.len());
        for (key, manifest) in presets {
            let oauth = manifest.oauth.as_ref().expect("an `oauth` block");
            let token = oauth.field_of("access_token");
            assert!(manifest.oauth_fields.iter().any(|field| field.name == token), "{key}");
            assert!(manifest.client_fields.iter().any(|field| field.name == "client_id" && field.required), "{key}");
        }
    }
}
