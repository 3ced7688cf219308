//! What the pages of a device share: the handle in their path, and what the account decided about its code.

use axum::response::Response;

use crate::{
    domain::{Code, Error, Result, device_handle::DeviceHandle, recorded_decision::Decision, user_code::UserCode},
    http::pages::{context::PageContext, notice_redirect::see_other_with_notice},
};

/// The notice for a person who enters a decided code again.
pub(super) const AGAIN: &str = "again";

/// The path of the device's page.
pub(super) fn page_path(context: &PageContext) -> String {
    format!("/device/{}", context.path_param("handle"))
}

/// The path of a device's outcome; `page` is the path of its page.
pub(super) fn done_path(page: &str) -> String {
    format!("{page}/done")
}

/// The handle of the path. One that cannot be opened reads like an expired code.
pub(super) fn device_handle(context: &PageContext) -> Result<DeviceHandle> {
    let handle = context.site.open_handle(context.path_param("handle"));
    handle.ok_or_else(|| Error::new(Code::NotFound, "This code is no longer valid."))
}

/// What the account decided about this code. `None` without a decision or an account.
pub(super) async fn find_decision(context: &PageContext, code: &UserCode) -> Result<Option<Decision>> {
    let Some(caller) = context.find_caller() else { return Ok(None) };
    context.site.services.device_flow.find_decision(code, caller.account.id).await
}

/// Redirects a person who enters a code that they decided to its outcome.
pub(super) fn see_again(context: &PageContext, code: &UserCode, decision: &Decision) -> Result<Response> {
    let page = context.site.device_path(code, &decision.client_id)?;
    see_other_with_notice(context, &done_path(&page), AGAIN, None)
}
