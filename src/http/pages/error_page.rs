//! Domain errors as pages: a message for people, with what to do next, under the status that the JSON door would use.

use axum::response::Response;
use http::StatusCode;

use super::{
    context::PageContext,
    error_redirect,
    handlers::single_sign_on::CONFIRM,
    location::{SESSIONS, see_other},
    message_page::{MessageKind, MessagePage},
    renderer::PageTemplate,
    return_target::ReturnTarget,
    sign_in_provider::SignInNavigation,
    texts::Texts,
};
use crate::{
    domain::{Code, Error, Result, client_commands::ClientCommand},
    http::{answer::retry_after, error_body, status::http_status},
    telemetry::{failure, request_id},
};

/// The response to a request that failed: a redirect to the sign-in page when only a sign-in is missing, a redirect to
/// the page of a submitted form, or a message.
pub(super) fn respond(context: &PageContext, error: &Error) -> Response {
    failure::log(error);
    let has_form = context.is_post() && !context.is_external();
    if let Some(redirect) = has_form.then(|| error_redirect::redirect(context, error)).flatten() {
        return redirect;
    }
    if let Some(SignInNavigation::Redirect(location)) = sign_in_navigation(context, error)
        && may_redirect_to_sign_in(context, error)
    {
        return see_other(&location);
    }
    let mut response = render(context, http_status(error.code()), error).unwrap_or_else(|render_error| {
        failure::log(&render_error);
        error_body::respond(error, None)
    });
    if let Some(after) = error.retry_after() {
        retry_after(&mut response, after);
    }
    response
}

/// Renders an error as a page with a message.
pub(super) fn render(context: &PageContext, status: StatusCode, error: &Error) -> Result<Response> {
    let navigation = sign_in_navigation(context, error);
    if context.is_external()
        && let Some(message) = external_message(context, error)
    {
        return context.render(status, PageTemplate::Message, &message.on_host(context.pages_url()));
    }
    let message = message(
        context.texts(),
        context.commands(),
        error,
        &context.base_page(),
        &retry_url(context),
        navigation.as_ref(),
    );
    context.render(status, PageTemplate::Message, &message)
}

/// The address with which the person tries again.
fn retry_url(context: &PageContext) -> String {
    if context.parts.uri.path().starts_with("/signin") {
        return context.return_target().append_to("/signin");
    }
    context.base_page_url()
}

/// How to get to the sign-in page; `None` when the error is not about a missing sign-in.
fn sign_in_navigation(context: &PageContext, error: &Error) -> Option<SignInNavigation> {
    let is_missing = http_status(error.code()) == StatusCode::UNAUTHORIZED && !context.is_external();
    is_missing.then(|| context.site.sign_in_provider.navigation(&context.base_page()))
}

/// The message for an error that only external identities meet, or that means something else to them.
fn external_message(context: &PageContext, error: &Error) -> Option<MessagePage> {
    let (texts, commands) = (context.texts(), context.commands());
    let message =
        |kind, title, text| MessagePage::new(texts, kind, title, text).with_link("/device", texts.get("enter_another"));
    Some(match error.code() {
        Code::NoSession | Code::InvalidSession | Code::SessionAlreadyConsumed => {
            message(MessageKind::Temporary, "sso_session_title", "sso_session_text")
        }
        Code::InvalidSsoAssertion | Code::UserCodeMismatch | Code::InvalidRequest | Code::InvalidParam => {
            message(MessageKind::Temporary, "sso_invalid_title", "sso_invalid_text")
        }
        Code::NotFound | Code::InvalidUserCode | Code::UserCodeNotPending => MessagePage::code_expired(texts, commands),
        Code::EmailBelongsToDifyAccount => message(MessageKind::Final, "sso_rejected_title", "sso_email_taken_text"),
        Code::SsoNotConfigured => message(MessageKind::Final, "sso_off_title", "sso_off_text"),
        Code::LicenseRequired => message(MessageKind::Final, "sso_license_title", "sso_license_text"),
        Code::UpstreamError | Code::UpstreamTimeout => {
            message(MessageKind::Temporary, "sso_upstream_title", "sso_upstream_text")
                .with_reference(request_id::current().to_string())
        }
        Code::AlreadyResolved => {
            MessagePage::new(texts, MessageKind::Final, "resolved_title", "resolved_text").with_commands(commands)
        }
        Code::ApproveInProgress => MessagePage::new(texts, MessageKind::Temporary, "busy_title", "busy_text")
            .with_link(CONFIRM, texts.get("look_again")),
        _ => return None,
    })
}

fn may_redirect_to_sign_in(context: &PageContext, error: &Error) -> bool {
    // Dify's console may still accept a session that this service rejects, and would redirect back in a loop.
    let cannot_loop = context.site.standalone || error.code() == Code::NoSession;
    // After a submitted form, a message first says that the form had no effect.
    let after_form = error_redirect::noticed_error(context).is_some_and(|error| error.code() == Code::NoSession);
    cannot_loop && context.parts.method.is_safe() && !after_form
}

/// The message for an error on the page `base_page`; `base_page_url` is the address to try again.
fn message(
    texts: &Texts,
    commands: Vec<ClientCommand>,
    error: &Error,
    base_page: &ReturnTarget,
    base_page_url: &str,
    navigation: Option<&SignInNavigation>,
) -> MessagePage {
    if let Some(navigation) = navigation {
        return signed_out(texts, base_page, navigation);
    }
    let temporary = |title, text| {
        MessagePage::new(texts, MessageKind::Temporary, title, text).with_link(base_page_url, texts.get("look_again"))
    };
    let wait = error.retry_after().map(|after| texts.retry_after(after));
    match error.code() {
        Code::NotFound if matches!(base_page, ReturnTarget::Sessions(_)) => {
            MessagePage::session_ended(texts, base_page_url)
        }
        Code::NotFound if matches!(base_page, ReturnTarget::Device(_)) => MessagePage::code_expired(texts, commands),
        Code::NotFound | Code::MethodNotAllowed | Code::Unimplemented => MessagePage::not_found(texts),
        Code::AlreadyResolved => MessagePage::new(texts, MessageKind::Final, "resolved_title", "resolved_text")
            .with_commands(commands)
            .with_link(SESSIONS, texts.get("nav_sessions")),
        Code::ApproveInProgress => temporary("busy_title", "busy_text"),
        Code::RateLimited => {
            let text = if base_page_url.starts_with("/device?") || base_page_url == "/device" {
                "limited_codes_text"
            } else {
                "limited_text"
            };
            temporary("limited_title", text).with_wait(wait)
        }
        Code::CsrfMismatch => temporary("csrf_title", "csrf_text"),
        Code::BearerAuthDisabled => MessagePage::new(texts, MessageKind::Final, "disabled_title", "disabled_text"),
        Code::ServiceUnavailable | Code::UserCodeExhausted => temporary("unavailable_title", "unavailable_text")
            .with_wait(wait)
            .with_reference(request_id::current().to_string()),
        Code::InternalServerError | Code::InternalStateInvariant => {
            temporary("fault_title", "fault_text").with_reference(request_id::current().to_string())
        }
        _ => temporary("bad_title", "bad_text"),
    }
}

/// The message when a sign-in is missing and no redirect is possible.
fn signed_out(texts: &Texts, base_page: &ReturnTarget, navigation: &SignInNavigation) -> MessagePage {
    let message = |text| MessagePage::new(texts, MessageKind::Temporary, "session_title", text);
    match navigation {
        SignInNavigation::Redirect(href) => message("session_text").with_link(href, texts.get("sign_in")),
        SignInNavigation::Link(href) => {
            let message = match href {
                Some(href) => message("elsewhere_text").with_link(href, texts.get("sign_in_at_dify")),
                None => message("elsewhere_text"),
            };
            message.with_link(base_page.path(), texts.get("come_back"))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        domain::branding::Branding,
        http::pages::{
            language::Language,
            renderer::{Layout, Renderer},
        },
    };

    #[test]
    fn every_code_has_texts_in_every_language() {
        let renderer = Renderer::new(&Branding::default()).expect("a renderer");
        for language in Language::all() {
            for code in Code::ALL {
                for target in
                    [ReturnTarget::EnterCode, ReturnTarget::Sessions(None), ReturnTarget::Device("h".to_owned())]
                {
                    let error = Error::new(*code, "internal words").with_retry_after(Duration::from_secs(100));
                    let message = message(renderer.texts(language), Vec::new(), &error, &target, &target.path(), None);
                    let layout = Layout {
                        language,
                        is_external: false,
                        pages_url: "",
                        page_url: "/device",
                        return_to: "/device",
                        user: None,
                        csrf_token: "",
                        has_connections: true,
                    };
                    let html = renderer.render(PageTemplate::Message, &layout, &message).expect("a page");
                    assert!(
                        !html.contains("internal words") && !html.contains("_title") && !html.contains("_text<"),
                        "{code:?}"
                    );
                }
            }
        }
    }
}
