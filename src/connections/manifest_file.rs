//! Reads the manifest of a provider as Dify's plugins ship it (`provider/*.yaml`).

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::{
    domain::connection::{
        field::{CredentialField, LocalizedText},
        manifest::{ManifestError, OAuthEndpoints, ProviderManifest},
    },
    dsl::read_yaml,
};

/// Longest file in bytes.
pub(crate) const MAX_FILE: usize = 256 * 1024;

/// The members of the file that this service reads.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ManifestFile {
    identity: Identity,
    credentials_for_provider: Value,
    oauth_schema: OAuthSchema,
    oauth: Option<OAuthEndpoints>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Identity {
    name: Option<String>,
    label: LocalizedText,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OAuthSchema {
    client_schema: Value,
    credentials_schema: Value,
}

/// Reads and checks a manifest. `allow_http` accepts endpoints without TLS.
pub(crate) fn read_manifest(text: &str, allow_http: bool) -> Result<ProviderManifest, ManifestError> {
    if text.len() > MAX_FILE {
        return Err(ManifestError(format!("the file is longer than {} KiB", MAX_FILE >> 10)));
    }
    let document = read_yaml(text).map_err(|error| ManifestError(error.to_string()))?;
    let file: ManifestFile = read("", without_nulls(document))?;
    let mut label = file.identity.label;
    if label.is_empty()
        && let Some(name) = file.identity.name
    {
        label.insert("en_US".to_owned(), name);
    }
    let manifest = ProviderManifest {
        label,
        api_key_fields: fields("credentials_for_provider", file.credentials_for_provider)?,
        client_fields: fields("oauth_schema.client_schema", file.oauth_schema.client_schema)?,
        oauth_fields: fields("oauth_schema.credentials_schema", file.oauth_schema.credentials_schema)?,
        oauth: file.oauth,
    };
    manifest.check(allow_http)?;
    Ok(manifest)
}

/// A schema is a list of fields, or an object of fields by name.
fn fields(place: &str, schema: Value) -> Result<Vec<CredentialField>, ManifestError> {
    let list = match schema {
        Value::Null => Vec::new(),
        Value::Array(list) => list,
        Value::Object(by_name) => by_name.into_iter().map(named).collect(),
        _ => return Err(ManifestError(format!("{place}: must be a list of fields"))),
    };
    read(place, Value::Array(list))
}

fn named((name, field): (String, Value)) -> Value {
    match field {
        Value::Object(mut field) => {
            field.insert("name".to_owned(), Value::String(name));
            Value::Object(field)
        }
        other => other,
    }
}

fn read<T: DeserializeOwned>(place: &str, value: Value) -> Result<T, ManifestError> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let inner = error.path().to_string();
        let place =
            [place, inner.as_str()].iter().filter(|part| !matches!(**part, "" | ".")).copied().collect::<Vec<_>>();
        let reason = error.inner().to_string();
        ManifestError(if place.is_empty() { reason } else { format!("{}: {reason}", place.join(".")) })
    })
}

/// A member whose value is null counts as absent.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(
            members
                .into_iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(name, value)| (name, without_nulls(value)))
                .collect::<Map<_, _>>(),
        ),
        Value::Array(items) => Value::Array(items.into_iter().map(without_nulls).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{connection::field::FieldKind, oauth_client::ClientAuthentication};

    const GMAIL: &str = "
identity:
  author: langgenius
  name: gmail
  label: {en_US: Gmail, zh_Hans: Gmail}
credentials_for_provider:
  api_key:
    type: secret-input
    required: true
    label: {en_US: Key}
    placeholder:
oauth_schema:
  client_schema:
    - name: client_id
      type: secret-input
      required: true
      url: https://developers.google.com/identity/protocols/oauth2
      placeholder: {en_US: Please enter your Google OAuth client_id}
    - name: client_secret
      type: secret-input
      required: true
  credentials_schema:
    - {name: access_token, type: secret-input}
tools: [tools/send_message.yaml]
extra:
  python: {source: provider/gmail.py}
";

    #[test]
    fn manifest_of_a_plugin_is_read() {
        let manifest = read_manifest(GMAIL, false).unwrap();
        assert_eq!(manifest.label["en_US"], "Gmail");
        assert!(manifest.supports_oauth() && manifest.supports_api_keys() && manifest.oauth.is_none());
        assert_eq!(manifest.client_fields.len(), 2);
        assert_eq!(manifest.api_key_fields[0].name, "api_key");
        assert_eq!(manifest.api_key_fields[0].kind, FieldKind::Secret);
    }

    #[test]
    fn declarative_block_is_read_and_checked() {
        let with = |oauth: &str| read_manifest(&format!("{GMAIL}oauth:\n{oauth}"), false);
        let read = with(
            "  authorization_url: https://a.example/auth\n  token_url: https://a.example/token\n  client_auth: basic\n",
        );
        let oauth = read.unwrap().oauth.unwrap();
        assert_eq!(oauth.client_auth, ClientAuthentication::Basic);
        for (oauth, reason) in [
            ("  authorization_url: https://a.example/auth\n", "token_url"),
            ("  authorization_url: https://a.example/a\n  token_url: http://a.example/t\n", "must be https"),
            ("  authorization_url: https://u:p@a.example/a\n  token_url: https://a.example/t\n", "user name"),
            ("  authorization_url: file:///etc/passwd\n  token_url: https://a.example/t\n", "must be https"),
            (
                "  authorization_url: https://a.example/a\n  token_url: https://a.example/t\n  extra_params: {state: x}\n",
                "set by this service",
            ),
            ("  authorization_url: https://a.example/a\n  token_url: https://a.example/t\n  typo: 1\n", "typo"),
        ] {
            let error = with(oauth).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
        assert!(
            read_manifest(&format!("{GMAIL}oauth: {{authorization_url: 'http://a/', token_url: 'http://a/'}}"), true)
                .is_ok()
        );
    }

    #[test]
    fn other_files_are_rejected_with_their_place() {
        for (text, part) in [
            ("identity: {name: x}", "neither"),
            ("- a", "invalid type"),
            ("credentials_for_provider: {a: {type: app-selector}}", "credentials_for_provider"),
            ("credentials_for_provider: {a: {type: select}}", "has no options"),
            ("credentials_for_provider: 5", "must be a list"),
            ("credentials_for_provider: {a: {type: text-input, url: 'javascript:alert(1)'}}", "https"),
        ] {
            let error = read_manifest(text, false).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
        assert!(read_manifest(&" ".repeat(MAX_FILE + 1), false).is_err());
    }
}
