//! The form for a user code. It only redirects to the page of the device: it looks nothing up and changes nothing.

use axum::response::Response;
use http::StatusCode;
use serde::Serialize;

use crate::{
    domain::{Result, user_code::UserCode},
    http::pages::{context::PageContext, form_error::FormError, location::see_other, renderer::PageTemplate},
};

/// The path of the form.
const PATH: &str = "/device";

/// The values of the page.
#[derive(Default, Serialize)]
pub(crate) struct EnterCodePage {
    /// Why the submitted text was not accepted.
    pub error: Option<String>,
}

/// Shows the form. With a code in the query (`verification_uri_complete`, RFC 8628 section 3.3.1) it redirects at once,
/// also for an invalid code, so that the browser history does not keep the code.
pub(crate) fn show(context: &PageContext) -> Result<Response> {
    if let Some(code) = context.query_param("user_code").filter(|code| !code.trim().is_empty()) {
        return redirect_to_device(context, &code);
    }
    let is_malformed = FormError::in_query(context) == Some(FormError::MalformedCode);
    let error = is_malformed.then(|| context.texts().get("enter_malformed").to_owned());
    context.render(StatusCode::OK, PageTemplate::EnterCode, &EnterCodePage { error })
}

/// Redirects from `/device/`, as it is typed or built from a base URL.
pub(crate) fn show_without_slash(context: &PageContext) -> Result<Response> {
    match context.query_param("user_code") {
        Some(code) => redirect_to_device(context, &code),
        None => Ok(see_other(PATH)),
    }
}

/// Accepts the submitted form.
pub(crate) fn submit(context: &PageContext) -> Result<Response> {
    redirect_to_device(context, context.form.text("user_code"))
}

/// Redirects to the page of the device; back to the form when the text is not a code.
fn redirect_to_device(context: &PageContext, text: &str) -> Result<Response> {
    match UserCode::parse(text) {
        Ok(code) => Ok(see_other(&context.site.device_path(&code)?)),
        Err(_) => Ok(see_other(&FormError::MalformedCode.append_to(PATH))),
    }
}
