//! Single sign-on: the start of a sign-in for a device or an account, and the page on which an external identity
//! decides about the device that it signed in for.

use axum::response::Response;
use http::StatusCode;
use serde::Serialize;

use super::{approval::ApprovePage, device::device_handle, external_outcome::see_decided};
use crate::{
    domain::{Error, Result, caller::GrantCaller, grant::PendingGrant},
    http::{
        answer::set_cookie,
        pages::{
            context::PageContext,
            form_error::FormError,
            location::see_other,
            message_page::{MessageKind, MessagePage},
            renderer::PageTemplate,
            texts::{Texts, fill},
        },
    },
    pipeline::{browser::no_session, fetch_site::is_other_origin},
    rpc::reply::SSO_MARKS,
    service::single_sign_on::completion::Rejection,
};

/// The page on which an external identity decides. Its cookie is sent to the paths below `/openapi/v1/oauth/device`
/// only.
pub(crate) const CONFIRM: &str = "/openapi/v1/oauth/device/confirm";
/// Where a sign-in for a device starts.
const START: &str = "/openapi/v1/oauth/device/sso-initiate";

/// A link to the identity provider.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct SsoLink {
    pub href: String,
    pub label: String,
}

/// The values of the page that leads to the identity provider.
#[derive(Serialize)]
pub(crate) struct SsoStartPage {
    /// The user code.
    pub code: String,
    pub link: SsoLink,
    /// The page on which people with an account sign in.
    pub other: String,
}

/// The text of the button to the provider.
pub(crate) fn button_text(context: &PageContext) -> String {
    let name = context.site.services.single_sign_on.provider_name().unwrap_or("SSO");
    fill(context.texts().get("sso_sign_in"), name)
}

/// Leads to the identity provider. It is a page of its own with a link, because a submitted form must not end on
/// another origin.
pub(crate) async fn show_start(context: &PageContext) -> Result<Response> {
    let code = device_handle(context)?.user_code;
    if context.site.services.device_flow.find_pending(&code).await?.is_none() {
        let message = MessagePage::code_expired(context.texts(), context.commands());
        return context.render(StatusCode::NOT_FOUND, PageTemplate::Message, &message);
    }
    let href = context.site.api_url(&format!("{START}?user_code={}", code.expose()));
    let link = SsoLink { href, label: button_text(context) };
    let page = SsoStartPage { code: code.expose(), link, other: context.base_page().path() };
    context.render(StatusCode::OK, PageTemplate::SsoStart, &page)
}

/// Starts the sign-in of an account, unless another site leads here.
pub(crate) async fn start_for_account(context: &PageContext) -> Result<Response> {
    let target = context.return_target();
    let sso = &context.site.services.single_sign_on;
    if !sso.is_offered_to_accounts() {
        return Err(Error::not_found("There is no such page."));
    }
    if is_other_origin(&context.parts.headers) {
        return Ok(see_other(&target.append_to("/signin")));
    }
    let started = sso.start_for_account(&target.path(), context.host_cookie(SSO_MARKS)).await?;
    let mut response = see_other(started.url.as_str());
    set_cookie(&mut response, &context.site.services.cookies.sso_marks(&started.marks));
    Ok(response)
}

/// The outcome of a sign-in for a device that the address of `/device` names: a redirect to the decision, or the reason
/// why there is no decision. `None` when the address names no outcome.
pub(crate) fn show_outcome(context: &PageContext) -> Option<Result<Response>> {
    if context.query_param("sso_verified").is_some() {
        return Some(Ok(see_other(&context.site.api_url(CONFIRM))));
    }
    let rejection = noticed_rejection(context)?;
    let texts = context.texts();
    let sign_in = context.site.standalone.then_some("/signin");
    Some(context.render(StatusCode::OK, PageTemplate::Message, &rejection_message(texts, rejection, sign_in)))
}

/// The rejection that the address names.
pub(crate) fn noticed_rejection(context: &PageContext) -> Option<Rejection> {
    let named = context.query_param("sso_error")?;
    Rejection::ALL.into_iter().find(|rejection| rejection.as_str() == named)
}

/// The key of the text for a rejection.
pub(crate) const fn rejection_text(rejection: Rejection) -> &'static str {
    match rejection {
        Rejection::EmailBelongsToDifyAccount => "sso_email_taken_text",
        Rejection::EmailNotVerified => "sso_email_unverified_text",
        Rejection::DomainNotAllowed => "sso_domain_text",
        Rejection::AccessDenied => "sso_cancelled_text",
        Rejection::UnknownAccount => "sso_unknown_account_text",
    }
}

fn rejection_message(texts: &Texts, rejection: Rejection, sign_in: Option<&str>) -> MessagePage {
    let title = match rejection {
        Rejection::AccessDenied => "sso_cancelled_title",
        _ => "sso_rejected_title",
    };
    let message = MessagePage::new(texts, MessageKind::Final, title, rejection_text(rejection));
    let message = match sign_in.filter(|_| rejection == Rejection::EmailBelongsToDifyAccount) {
        Some(path) => message.with_link(path, texts.get("sign_in")),
        None => message,
    };
    message.with_link("/device", texts.get("enter_another"))
}

/// Shows the device to an external identity.
pub(crate) async fn show_confirmation(context: &PageContext) -> Result<Response> {
    let caller = caller(context)?;
    let Some(grant) = context.site.services.device_flow.find_pending(&caller.user_code).await? else {
        let message = MessagePage::code_expired(context.texts(), context.commands());
        let message = message.on_host(context.pages_url());
        return context.render(StatusCode::NOT_FOUND, PageTemplate::Message, &message);
    };
    // The cookie may expire before the code.
    let left = caller.expires_at.signed_duration_since(context.site.clock.now()).num_seconds();
    let grant = PendingGrant { expires_in: grant.expires_in.min(u32::try_from(left).unwrap_or(0)), ..grant };
    let is_unconfirmed = FormError::noticed(context) == Some(FormError::Unconfirmed);
    let until = context.site.services.device_flow.token_expiry(None).await?;
    let page = ApprovePage {
        path: CONFIRM.to_owned(),
        account_email: caller.email.clone(),
        issuer: Some(caller.issuer.clone()),
        csrf_token: caller.csrf_token.expose().to_owned(),
        error: is_unconfirmed.then(|| context.texts().get("mine_required").to_owned()),
        commands: context.site.client_commands.of_client(&grant.request.client_id),
        ..ApprovePage::of_grant(grant, &caller.user_code, context.client_address()?, until)
    };
    context.render(StatusCode::OK, PageTemplate::Approve, &page)
}

/// Lets the device in if the person confirmed that it is their own.
pub(crate) async fn approve(context: &PageContext) -> Result<Response> {
    let caller = caller(context)?;
    if !context.form.is_checked("mine") {
        return FormError::Unconfirmed.redirect(context, CONFIRM);
    }
    let decision = context.site.services.single_sign_on.approve(caller, &caller.user_code.expose()).await?;
    Ok(see_decided(context, caller, &decision))
}

/// Turns the device away.
pub(crate) async fn deny(context: &PageContext) -> Result<Response> {
    let caller = caller(context)?;
    let decision = context.site.services.single_sign_on.deny(caller, &caller.user_code.expose()).await?;
    Ok(see_decided(context, caller, &decision))
}

fn caller(context: &PageContext) -> Result<&GrantCaller> {
    context.parts.extensions.get().ok_or_else(no_session)
}
