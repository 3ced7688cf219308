//! The connections of the signed-in account: a list of providers, and a page for each.

use axum::response::Response;
use http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    domain::{
        Error, Result,
        connection::{
            credential::{Connection, ConnectionStatus, CredentialType, Visibility},
            field::{CredentialField, FieldKind, LocalizedText},
            manifest::ProviderManifest,
            provider_key::ProviderKey,
        },
        id::AccountId,
    },
    http::pages::{context::PageContext, display_time::DisplayTime, location::CONNECTIONS, renderer::PageTemplate},
    service::connections::{authorization::AuthorizationError, manage::ConnectionView, member::CurrentMember},
};

/// Notices of a provider's page: the word, the key of its text, and whether it is an error.
const NOTICES: [(&str, &str, bool); 9] = [
    (CHANGED, "connection_done_changed", false),
    (DISCONNECTED, "connection_done_disconnected", false),
    (ADDED, "connection_done_added", false),
    (CLIENT_SAVED, "connection_done_client", false),
    (NAME_TAKEN, "connection_error_name", true),
    (INVALID, "connection_error_values", true),
    (CONFLICT, "connection_error_conflict", true),
    (NOT_ALLOWED, "connection_error_forbidden", true),
    (UNAVAILABLE, "connection_error_unavailable", true),
];
pub(super) const CHANGED: &str = "changed";
pub(super) const DISCONNECTED: &str = "disconnected";
pub(super) const ADDED: &str = "added";
pub(super) const CLIENT_SAVED: &str = "client_saved";
pub(super) const NAME_TAKEN: &str = "name_taken";
pub(super) const INVALID: &str = "invalid_values";
pub(super) const CONFLICT: &str = "conflict";
pub(super) const NOT_ALLOWED: &str = "forbidden";
pub(super) const UNAVAILABLE: &str = "unavailable";

/// The key of the text about an authorization that has failed.
const fn failure_text(error: AuthorizationError) -> &'static str {
    match error {
        AuthorizationError::AccessDenied => "connection_failed_denied",
        AuthorizationError::InvalidState => "connection_failed_state",
        AuthorizationError::ProviderError => "connection_failed_provider",
        AuthorizationError::ProviderUnavailable => "connection_failed_unavailable",
        AuthorizationError::Rejected => "connection_failed_rejected",
        AuthorizationError::ClientMissing => "connection_client_missing",
        AuthorizationError::NotMember => "connection_failed_member",
        AuthorizationError::TooMany => "connection_failed_many",
    }
}

/// A provider in the list.
#[derive(Serialize)]
struct ProviderCard {
    label: String,
    key: String,
    href: String,
    connected: bool,
    /// Whether a connection has to be authorized again.
    broken: bool,
}

#[derive(Serialize)]
struct ConnectionsPage {
    /// Why the last authorization has failed.
    error: Option<String>,
    /// The address that begins it again.
    again: Option<String>,
    providers: Vec<ProviderCard>,
}

/// A field of a form.
#[derive(Serialize)]
struct FieldView {
    name: String,
    kind: FieldKind,
    label: String,
    help: Option<String>,
    url: Option<String>,
    required: bool,
    /// The value; masked for a secret.
    value: String,
    choices: Vec<ChoiceView>,
}

#[derive(Serialize)]
struct ChoiceView {
    value: String,
    label: String,
}

/// A connection on its provider's page.
#[expect(clippy::struct_excessive_bools, reason = "independent states")]
#[derive(Serialize)]
struct ConnectionCard {
    id: String,
    name: String,
    kind: String,
    /// Who may use it.
    who: String,
    /// Why it cannot be used.
    problem: Option<String>,
    created: DisplayTime,
    is_default: bool,
    is_own: bool,
    is_shared: bool,
    may_change: bool,
    /// The address that authorizes it again.
    reconnect: Option<String>,
}

#[derive(Serialize)]
struct ClientForm {
    redirect_uri: String,
    fields: Vec<FieldView>,
    enabled: bool,
}

#[derive(Serialize)]
struct ProviderPage {
    done: Option<String>,
    error: Option<String>,
    label: String,
    /// The path of this page.
    path: String,
    connections: Vec<ConnectionCard>,
    /// The address that begins an authorization; `None` without an OAuth client.
    connect: Option<String>,
    needs_client: bool,
    key_fields: Vec<FieldView>,
    /// For administrators.
    client: Option<ClientForm>,
}

/// The provider in the path.
pub(super) fn provider_key(context: &PageContext) -> Result<ProviderKey> {
    let [organization, plugin, name] = ["organization", "plugin", "provider"].map(|part| context.path_param(part));
    ProviderKey::from_segments(organization, plugin, name).map_err(|_| Error::not_found("There is no such provider."))
}

/// The path of a provider's page.
pub(super) fn provider_path(key: &ProviderKey) -> String {
    format!("{CONNECTIONS}/{key}")
}

pub(super) async fn member(context: &PageContext) -> Result<CurrentMember> {
    context.site.services.connections.member(context.caller()?).await
}

/// The text in the language of the request; in English, or in any, where it has none.
fn localized(context: &PageContext, text: &LocalizedText) -> Option<String> {
    let language = context.manifest_language();
    let found = text.get(language).or_else(|| text.get("en_US")).or_else(|| text.values().next());
    found.cloned().filter(|text| !text.is_empty())
}

fn label(context: &PageContext, key: &ProviderKey, manifest: &ProviderManifest) -> String {
    localized(context, &manifest.label).unwrap_or_else(|| key.name().to_owned())
}

/// Shows the list of providers, and why an authorization has failed.
pub(crate) async fn show(context: &PageContext) -> Result<Response> {
    let connections = &context.site.services.connections;
    let member = member(context).await?;
    let own = connections.list_for_service(member.workspace, None, Some(member.account)).await?;
    let providers = connections.providers().await?;
    let card = |(key, manifest): (&ProviderKey, &ProviderManifest)| {
        let text = key.to_string();
        let mut of_provider = own.iter().filter(|one| one.provider == text);
        ProviderCard {
            label: label(context, key, manifest),
            href: provider_path(key),
            connected: of_provider.clone().any(|one| one.health.status == ConnectionStatus::Active),
            broken: of_provider.any(|one| one.health.status == ConnectionStatus::ReauthorizationRequired),
            key: text,
        }
    };
    let error = context
        .query_param("error")
        .and_then(|word| AuthorizationError::ALL.into_iter().find(|error| error.as_str() == word).map(failure_text));
    let named = context.query_param("provider").and_then(|text| text.parse::<ProviderKey>().ok());
    let again = named.filter(|key| error.is_some() && providers.contains_key(key));
    let page = ConnectionsPage {
        error: error.map(|key| context.texts().get(key).to_owned()),
        again: again.map(|key| provider_path(&key)),
        providers: providers.iter().map(card).collect(),
    };
    context.render(StatusCode::OK, PageTemplate::Connections, &page)
}

/// Shows the connections to a provider, and the forms to add and change them.
pub(crate) async fn show_provider(context: &PageContext) -> Result<Response> {
    let connections = &context.site.services.connections;
    let (member, key) = (member(context).await?, provider_key(context)?);
    let (manifest, views) = connections.list(member, &key).await?;
    let path = provider_path(&key);
    let view = if manifest.supports_oauth() && member.is_admin {
        Some(connections.client_view(member, &key).await?)
    } else {
        None
    };
    let has_client = match &view {
        Some(view) => view.is_custom_enabled || view.has_system_client,
        None => manifest.supports_oauth() && connections.has_client(member, &key).await?,
    };
    let client = view.map(|view| ClientForm {
        fields: fields(context, &view.fields, &view.params),
        redirect_uri: view.redirect_uri,
        enabled: view.is_custom_enabled || view.params.is_empty(),
    });
    let notice = context.notice().and_then(|word| NOTICES.into_iter().find(|(known, ..)| *known == word));
    let text = |is_error| {
        notice.filter(|(_, _, error)| *error == is_error).map(|(_, key, _)| context.texts().get(key).to_owned())
    };
    let page = ProviderPage {
        done: text(false),
        error: text(true),
        label: label(context, &key, &manifest),
        connections: views.into_iter().map(|view| card(context, view, member.account, &path, has_client)).collect(),
        connect: has_client.then(|| format!("{path}/connect")),
        needs_client: manifest.supports_oauth() && !has_client,
        key_fields: fields(context, &manifest.api_key_fields, &Map::new()),
        client,
        path,
    };
    context.render(StatusCode::OK, PageTemplate::ConnectionProvider, &page)
}

fn card(
    context: &PageContext,
    view: ConnectionView,
    account: AccountId,
    path: &str,
    has_client: bool,
) -> ConnectionCard {
    let ConnectionView { connection, may_change, .. } = view;
    let texts = context.texts();
    let is_oauth = connection.kind.is(CredentialType::OAuth);
    let (is_own, is_shared) = (connection.owner == account, connection.visibility.is(Visibility::Workspace));
    let may_reconnect = is_oauth && has_client && may_change && (is_own || is_shared);
    ConnectionCard {
        problem: problem(context, &connection),
        kind: texts.get(if is_oauth { "connection_kind_oauth" } else { "connection_kind_key" }).to_owned(),
        who: texts
            .get(match (is_shared, is_own) {
                (true, _) => "connection_who_all",
                (false, true) => "connection_who_me",
                (false, false) => "connection_who_owner",
            })
            .to_owned(),
        created: connection.created_at.into(),
        reconnect: may_reconnect.then(|| format!("{path}/connect?credential_id={}", connection.id)),
        id: connection.id.to_string(),
        name: connection.name,
        is_default: connection.is_default,
        is_own,
        is_shared,
        may_change,
    }
}

/// Why the connection cannot be used, in the language of the request.
fn problem(context: &PageContext, connection: &Connection) -> Option<String> {
    if connection.health.status == ConnectionStatus::Active {
        return None;
    }
    let reason = connection.health.reason.as_ref().map_or("", |reason| reason.as_str());
    let key = match reason {
        "invalid_grant" => "connection_problem_grant",
        "invalid_client" | "oauth_client_missing" => "connection_problem_client",
        "no_refresh_token" => "connection_problem_expired",
        _ => "connection_problem_rejected",
    };
    Some(context.texts().get(key).to_owned())
}

fn fields(context: &PageContext, fields: &[CredentialField], values: &Map<String, Value>) -> Vec<FieldView> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    fields
        .iter()
        .map(|field| {
            let value = values.get(&field.name).or(field.default.as_ref());
            FieldView {
                name: field.name.clone(),
                kind: field.kind,
                label: localized(context, &field.label).unwrap_or_else(|| field.name.clone()),
                help: localized(context, &field.help),
                url: field.url.clone(),
                // A stored secret is kept when its field stays empty.
                required: field.required && value.is_none(),
                value: value.map(text).unwrap_or_default(),
                choices: field
                    .options
                    .iter()
                    .map(|choice| ChoiceView {
                        value: choice.value.clone(),
                        label: localized(context, &choice.label).unwrap_or_else(|| choice.value.clone()),
                    })
                    .collect(),
            }
        })
        .collect()
}

/// Reports to the window that has opened this one, if scripts run, that an account was connected.
pub(crate) fn connected(context: &PageContext) -> Result<Response> {
    context.render(StatusCode::OK, PageTemplate::Connected, &())
}
