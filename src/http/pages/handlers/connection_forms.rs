//! The forms of a provider's page, and the link that begins an authorization.

use axum::response::Response;
use http::StatusCode;
use serde_json::{Map, Value};

use super::{
    connections::{
        ADDED, CHANGED, CLIENT_SAVED, CONFLICT, DISCONNECTED, INVALID, NAME_TAKEN, NOT_ALLOWED, UNAVAILABLE, member,
        provider_key, provider_path,
    },
    revocation::ConfirmPage,
};
use crate::{
    domain::{
        Code, Error, Result,
        connection::{
            credential::{CredentialType, Visibility},
            field::{CredentialField, FieldKind},
            values::{CredentialValues, HIDDEN},
        },
        id::ConnectionId,
    },
    http::{
        answer::set_cookie,
        pages::{
            context::PageContext, location::see_other, notice_redirect::see_other_with_notice, renderer::PageTemplate,
        },
    },
    pipeline::{browser::csrf_mismatch, fetch_site::is_cross_site},
    rpc::reply::CONNECTION_CONTEXT,
    service::connections::manage::{EnteredConnection, EnteredUpdate},
};

fn unknown() -> Error {
    Error::not_found("There is no such connection.")
}

/// Redirects to the provider. Only a link of our own pages may lead here.
pub(crate) async fn connect(context: &PageContext) -> Result<Response> {
    if is_cross_site(&context.parts.headers) {
        return Err(csrf_mismatch());
    }
    let (member, key) = (member(context).await?, provider_key(context)?);
    let connection = context.query_param("credential_id").map(|id| id.parse().map_err(|_| unknown())).transpose()?;
    let connections = &context.site.services.connections;
    let marks = context.host_cookie(CONNECTION_CONTEXT);
    match connections.start_authorization(member, &key, connection, marks).await {
        Ok(started) => {
            let mut response = see_other(started.url.as_str());
            set_cookie(&mut response, &context.site.services.cookies.connection_context(&started.marks));
            Ok(response)
        }
        // The page says that there is no OAuth client.
        Err(error) if error.code() == Code::OauthClientMissing => Ok(see_other(&provider_path(&key))),
        Err(error) => failed(context, error),
    }
}

/// Renames or shares a connection, or makes it the default.
pub(crate) async fn change(context: &PageContext) -> Result<Response> {
    let (member, key, id) = (member(context).await?, provider_key(context)?, connection_id(context)?);
    let connections = &context.site.services.connections;
    let visibility = |visibility| EnteredUpdate { visibility: Some(visibility), ..EnteredUpdate::default() };
    let changed = match context.form.text("action") {
        "share" => connections.update(member, &key, id, visibility(Visibility::Workspace)).await,
        "unshare" => connections.update(member, &key, id, visibility(Visibility::OnlyMe)).await,
        "default" => connections.make_default(member, &key, id).await,
        _ => {
            let name = Some(context.form.text("name").to_owned());
            connections.update(member, &key, id, EnteredUpdate { name, ..EnteredUpdate::default() }).await
        }
    };
    finish(context, changed, CHANGED)
}

/// Shows the confirmation to disconnect.
pub(crate) async fn confirm_disconnect(context: &PageContext) -> Result<Response> {
    let (member, key, id) = (member(context).await?, provider_key(context)?, connection_id(context)?);
    let (_, views) = context.site.services.connections.list(member, &key).await?;
    let view = views.into_iter().find(|view| view.connection.id == id && view.may_change).ok_or_else(unknown)?;
    let texts = context.texts();
    let path = provider_path(&key);
    let page = ConfirmPage {
        title: texts.get("connection_disconnect_title").replace("{}", &view.connection.name),
        text: texts.get("connection_disconnect_text").to_owned(),
        session: None,
        warning: None,
        path: format!("{path}/credentials/{id}/disconnect"),
        back: path,
        button: texts.get("connection_disconnect").to_owned(),
    };
    context.render(StatusCode::OK, PageTemplate::Confirm, &page)
}

pub(crate) async fn disconnect(context: &PageContext) -> Result<Response> {
    let (member, key, id) = (member(context).await?, provider_key(context)?, connection_id(context)?);
    finish(context, context.site.services.connections.delete(member, &key, id).await, DISCONNECTED)
}

/// Adds an API key.
pub(crate) async fn add_key(context: &PageContext) -> Result<Response> {
    let (member, key) = (member(context).await?, provider_key(context)?);
    let connections = &context.site.services.connections;
    let fields = connections.credential_fields(&key, CredentialType::ApiKey).await?;
    let values = entered(context, &fields, false);
    let entered = EnteredConnection { values, name: None, visibility: Visibility::OnlyMe };
    finish(context, connections.add(member, &key, entered).await.map(|_| ()), ADDED)
}

/// Stores the workspace's OAuth client.
pub(crate) async fn save_client(context: &PageContext) -> Result<Response> {
    let (member, key) = (member(context).await?, provider_key(context)?);
    let connections = &context.site.services.connections;
    let view = match connections.client_view(member, &key).await {
        Ok(view) => view,
        Err(error) => return failed(context, error),
    };
    let values = entered(context, &view.fields, !view.params.is_empty());
    let enabled = Some(context.form.is_checked("enabled"));
    finish(context, connections.put_client(member, &key, Some(&values), enabled).await, CLIENT_SAVED)
}

fn connection_id(context: &PageContext) -> Result<ConnectionId> {
    context.path_param("id").parse().map_err(|_| unknown())
}

/// The values of a form. An empty secret keeps the stored one.
fn entered(context: &PageContext, fields: &[CredentialField], has_stored: bool) -> CredentialValues {
    let value = |field: &CredentialField| {
        let name = format!("value.{}", field.name);
        match (field.kind, context.form.text(&name)) {
            (FieldKind::Boolean, _) => Value::Bool(context.form.is_checked(&name)),
            (FieldKind::Secret, "") if has_stored => HIDDEN.into(),
            (_, text) => text.into(),
        }
    };
    let values: Map<_, _> = fields.iter().map(|field| (field.name.clone(), value(field))).collect();
    CredentialValues::new(values)
}

/// Returns to the provider's page with a notice.
fn finish(context: &PageContext, result: Result<()>, done: &'static str) -> Result<Response> {
    match result {
        Ok(()) => see_other_with_notice(context, &provider_path(&provider_key(context)?), done, None),
        Err(error) => failed(context, error),
    }
}

/// What a person can correct is a notice on the provider's page; everything else is an error page.
fn failed(context: &PageContext, error: Error) -> Result<Response> {
    let word = match error.code() {
        Code::AlreadyExists => NAME_TAKEN,
        Code::InvalidParam | Code::InvalidRequest => INVALID,
        Code::Conflict => CONFLICT,
        Code::Forbidden => NOT_ALLOWED,
        Code::UpstreamError => UNAVAILABLE,
        _ => return Err(error),
    };
    see_other_with_notice(context, &provider_path(&provider_key(context)?), word, None)
}
