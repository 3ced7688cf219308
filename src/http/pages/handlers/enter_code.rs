//! The form for a user code. Only submitting it looks the code up; a link fills the form in and does nothing else.

use axum::response::Response;
use http::{StatusCode, header::REFERER};
use serde::Serialize;
use url::Url;

use super::{
    device::{find_decision, see_again},
    single_sign_on,
};
use crate::{
    domain::{Result, user_code::UserCode},
    http::pages::{
        context::{PARTIAL, PREFILL, PageContext},
        form_error::FormError,
        location::{see_other, with_parameter},
        message_page::MessagePage,
        notice_redirect::see_other_with_notice,
        renderer::PageTemplate,
    },
    pipeline::fetch_site::{is_other_origin, is_reported},
};

/// The path of the form.
const PATH: &str = "/device";
/// The notice after a code that no pending grant has.
const UNKNOWN_CODE: &str = "unknown_code";
/// Characters of a code, as it is shown, that a link from another site does not fill in.
const TYPED_CHARACTERS: usize = 2;

/// The values of the page.
#[derive(Default, Serialize)]
pub(crate) struct EnterCodePage {
    /// Why the submitted text was not accepted.
    pub error: Option<String>,
    /// The text that the field is filled in with.
    pub prefill: String,
    /// Whether the last characters are missing in it.
    pub is_partial: bool,
    /// The text of the button for single sign-on, if it is offered.
    pub sso: Option<String>,
}

/// Shows the form. `verification_uri_complete` (RFC 8628 section 3.3.1) leads here with a code in the query, which is
/// moved out of the address at once, also when it is invalid, so that the browser history does not keep it.
pub(crate) async fn show(context: &PageContext) -> Result<Response> {
    if let Some(outcome) = single_sign_on::show_outcome(context) {
        return outcome;
    }
    if let Some(code) = context.query_param("user_code").filter(|code| !code.trim().is_empty()) {
        return prefill(context, &code);
    }
    if context.notice() == Some(UNKNOWN_CODE) {
        let message = MessagePage::code_unknown(context.texts(), context.commands());
        return context.render(StatusCode::OK, PageTemplate::Message, &message);
    }
    let is_malformed = FormError::noticed(context) == Some(FormError::MalformedCode);
    let error = is_malformed.then(|| context.texts().get("enter_malformed").to_owned());
    let mut prefill = context.prefilled_code().map(|code| code.expose()).unwrap_or_default();
    let is_partial = !prefill.is_empty() && context.query_param(PARTIAL).is_some();
    if !prefill.is_empty() && !is_partial && comes_from_elsewhere(context) {
        return Ok(see_other(&partial(&context.base_page_url())));
    }
    if is_partial {
        prefill.truncate(prefill.len() - TYPED_CHARACTERS);
    }
    let is_offered = context.site.services.single_sign_on.is_offered().await;
    let sso = is_offered.then(|| single_sign_on::button_text(context));
    context.render(StatusCode::OK, PageTemplate::EnterCode, &EnterCodePage { error, prefill, is_partial, sso })
}

/// Redirects from `/device/`, as it is typed or built from a base URL.
pub(crate) fn show_without_slash(context: &PageContext) -> Result<Response> {
    match context.query_param("user_code") {
        Some(code) => prefill(context, &code),
        None => Ok(see_other(PATH)),
    }
}

/// Looks the submitted code up, and redirects to the page of the device.
pub(crate) async fn submit(context: &PageContext) -> Result<Response> {
    let Ok(code) = UserCode::parse(context.form.text("user_code")) else {
        return FormError::MalformedCode.redirect(context, PATH);
    };
    let account = context.find_caller().map(|caller| caller.account.id);
    let flow = &context.site.services.device_flow;
    match flow.lookup(&code.expose(), context.client_address()?, account).await? {
        Some(grant) => {
            let path = context.site.device_path(&code, &grant.request.client_id)?;
            let with_sso = context.form.is_checked("sso") && context.site.enterprise;
            Ok(see_other(&if with_sso { format!("{path}/sso") } else { path }))
        }
        // The attempt stays counted, so that this answer costs as much as that to a wrong code.
        None => match find_decision(context, &code).await? {
            Some(decision) => see_again(context, &code, &decision),
            None => see_other_with_notice(context, PATH, UNKNOWN_CODE, None),
        },
    }
}

/// Redirects to the form that is filled in with this code.
fn prefill(context: &PageContext, text: &str) -> Result<Response> {
    if !context.site.prefill_links {
        return Ok(see_other(PATH));
    }
    let Ok(code) = UserCode::parse(text) else { return FormError::MalformedCode.redirect(context, PATH) };
    let sealed = context.site.seal_prefill(&code)?;
    let url = with_parameter(PATH, &format!("{PREFILL}={sealed}"));
    Ok(see_other(&if comes_from_elsewhere(context) { partial(&url) } else { url }))
}

/// The same address without the last characters of the code, marked by a parameter, because the browser does not report
/// the other origin again when the page is reloaded.
fn partial(url: &str) -> String {
    with_parameter(url, &format!("{PARTIAL}=yes"))
}

/// Whether a page of another origin leads here (RFC 10027): by Fetch Metadata, else by the referrer.
fn comes_from_elsewhere(context: &PageContext) -> bool {
    let headers = &context.parts.headers;
    if is_reported(headers) {
        return is_other_origin(headers);
    }
    let Some(referrer) = headers.get(REFERER) else { return false };
    let referrer = referrer.to_str().ok().and_then(|url| Url::parse(url).ok()).map(|url| url.origin());
    referrer.is_none() || referrer != Url::parse(&context.site.issuer).ok().map(|url| url.origin())
}
