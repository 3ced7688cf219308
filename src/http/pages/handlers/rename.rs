//! The form with which a person names a session of a device.

use axum::response::Response;
use http::StatusCode;
use serde::Serialize;

use super::sessions::{RENAMED, own_current_session};
use crate::{
    domain::{Code, Result},
    http::pages::{
        context::PageContext,
        form_error::FormError,
        location::{SESSIONS, with_list_position},
        notice_redirect::see_other_with_notice,
        renderer::PageTemplate,
    },
};

/// The values of the page.
#[derive(Serialize)]
pub(crate) struct RenamePage {
    /// The name that the session has now.
    pub label: String,
    /// The client id.
    pub client: String,
    /// The address of the form.
    pub path: String,
    /// The address of the list, to leave without a change.
    pub back: String,
    /// Why the submitted name was not accepted.
    pub error: Option<String>,
}

/// Shows the form.
pub(crate) async fn show(context: &PageContext) -> Result<Response> {
    let session = context.site.services.sessions.find(&context.subject()?, context.path_param("id")).await?;
    let (current, page) = (own_current_session(context).await?, context.list_page());
    let is_invalid = FormError::noticed(context) == Some(FormError::InvalidName);
    let page = RenamePage {
        path: with_list_position(&format!("{SESSIONS}/{}/rename", session.id), current, page),
        back: with_list_position(SESSIONS, current, page),
        error: is_invalid.then(|| context.texts().get("rename_invalid").to_owned()),
        label: session.device_label,
        client: session.client_id,
    };
    context.render(StatusCode::OK, PageTemplate::Rename, &page)
}

/// Names the session, and returns to the same page of the list.
pub(crate) async fn submit(context: &PageContext) -> Result<Response> {
    let (id, name) = (context.path_param("id"), context.form.text("name"));
    match context.site.services.sessions.rename(&context.subject()?, id, name).await {
        Ok(()) => see_other_with_notice(context, &context.base_page_url(), RENAMED, None),
        Err(error) if error.code() == Code::InvalidRequest => {
            let form = format!("{SESSIONS}/{id}/rename");
            let form = with_list_position(&form, context.current_session_id(), context.list_page());
            FormError::InvalidName.redirect(context, &form)
        }
        Err(error) => Err(error),
    }
}
