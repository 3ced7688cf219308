//! Sign-in and sign-out with a browser session of this service. Routed only where this service has such sessions.

use std::time::Duration;

use axum::response::Response;
use chrono::TimeDelta;
use http::StatusCode;
use serde::Serialize;

use crate::{
    domain::{Code, Result},
    http::{
        answer::{set_cookie, set_cookies},
        pages::{
            context::PageContext,
            form_error::FormError,
            location::{see_other, with_parameter},
            presession_token::{self, PreSessionToken},
            renderer::PageTemplate,
            return_target::ReturnTarget,
        },
    },
    rpc::reply::{KNOWN_BROWSER, REFRESH_TOKEN},
};

/// Query parameter: the form is for another account than the one that is signed in.
const OTHER_ACCOUNT: &str = "another";

/// The values of the sign-in page.
#[derive(Default, Serialize)]
pub(crate) struct SignInPage {
    /// The pre-session token.
    pub token: String,
    /// The address of the form. It contains the return target, because the browser shows and reloads it when the
    /// response to the form is an error.
    pub action: String,
    /// The path to show after signing in.
    pub return_to: String,
    /// Whether that is the page of a device.
    pub for_device: bool,
    /// A text that is not an error.
    pub notice: Option<String>,
    /// Why the submitted form was not accepted.
    pub error: Option<String>,
    /// Whether the email address or the password was wrong.
    pub invalid_credentials: bool,
}

/// Shows the form. Redirects instead when a caller is signed in, or has a refresh cookie to continue with.
pub(crate) fn show(context: &PageContext) -> Result<Response> {
    let target = context.return_target();
    if context.find_caller().is_some() && context.query_param(OTHER_ACCOUNT).is_none() {
        return Ok(see_other(&target.path()));
    }
    let (has_ended, form_error) = (context.query_param("ended").is_some(), FormError::in_query(context));
    let has_refresh_token = context.cookie(REFRESH_TOKEN).is_some_and(|token| !token.is_empty());
    if !has_ended && form_error.is_none() && has_refresh_token {
        return Ok(see_other(&target.append_to("/signin/refresh")));
    }
    let has_signed_out = context.query_param("done").is_some();
    let notice = match (has_ended, has_signed_out) {
        (true, _) => Some("sign_in_ended"),
        (_, true) => Some("signed_out"),
        _ => None,
    };
    let page = SignInPage {
        notice: notice.map(|key| context.texts().get(key).to_owned()),
        error: form_error.and_then(|error| error_text(context, error)),
        invalid_credentials: form_error == Some(FormError::WrongCredentials),
        ..SignInPage::default()
    };
    render(context, page)
}

/// The text for an error in the form; `None` once a lock has ended.
fn error_text(context: &PageContext, error: FormError) -> Option<String> {
    let texts = context.texts();
    let key = match error {
        FormError::WrongCredentials => "sign_in_wrong",
        FormError::MissingCredentials => "sign_in_incomplete",
        FormError::ExpiredForm => "sign_in_stale",
        FormError::SignInLocked => "sign_in_locked",
        FormError::MalformedCode | FormError::Unconfirmed => return None,
    };
    let text = texts.get(key).to_owned();
    match context.remaining_wait().filter(|_| error == FormError::SignInLocked) {
        None => Some(text),
        Some(wait) => (!wait.is_zero()).then(|| format!("{text} {}", texts.retry_after(wait))),
    }
}

/// Continues a session whose access cookie has expired. Only the redirect of `show` leads here.
pub(crate) async fn refresh(context: &PageContext) -> Result<Response> {
    let target = context.return_target();
    let token = context.cookie(REFRESH_TOKEN).filter(|_| context.find_caller().is_none());
    let Some(token) = token else { return Ok(see_other(&target.append_to("/signin"))) };
    match context.site.services.console.refresh(token).await {
        Ok(issued) => {
            let mut response = see_other(&target.path());
            // Without new tokens another tab has refreshed the session; the browser has the tokens of that response.
            if let Some(issued) = issued {
                set_cookies(&mut response, &context.site.services.cookies.issued(&issued));
            }
            Ok(response)
        }
        Err(error) if error.code() == Code::InvalidSession => {
            let mut response = see_other(&with_parameter(&target.append_to("/signin"), "ended=yes"));
            set_cookies(&mut response, &context.site.services.cookies.cleared());
            Ok(response)
        }
        Err(error) => Err(error),
    }
}

/// Signs in and redirects to the return target.
pub(crate) async fn submit(context: &PageContext) -> Result<Response> {
    let email = context.form.text("email").trim();
    let token = context.form.text(presession_token::NAME);
    if !PreSessionToken::matches(context.cookie(presession_token::NAME), token) {
        // A sign-in in another tab has used up the token of this form. With the same email nothing is left to do; with
        // another email the person wants to change the account.
        if context.find_caller().is_some_and(|caller| caller.account.email.eq_ignore_ascii_case(email)) {
            return Ok(see_other(&context.return_target().path()));
        }
        return Ok(redirect_to_form(context, FormError::ExpiredForm, None));
    }
    let Some(password) =
        context.form.secret("password").filter(|password| !password.expose().is_empty() && !email.is_empty())
    else {
        return Ok(redirect_to_form(context, FormError::MissingCredentials, None));
    };
    let (remember, address) = (context.form.is_checked("remember"), context.client_address()?);
    let known_browser = context.cookie(KNOWN_BROWSER);
    match context.site.services.console.login(email, password.clone(), remember, address, known_browser).await {
        Ok(issued) => {
            let cookies = &context.site.services.cookies;
            let mut response = see_other(&context.return_target().path());
            set_cookies(&mut response, &cookies.issued(&issued));
            set_cookie(&mut response, &cookies.cookie(presession_token::NAME, "", Some(TimeDelta::zero()), true));
            Ok(response)
        }
        Err(error) => match error.code() {
            Code::AuthenticationFailed => Ok(redirect_to_form(context, FormError::WrongCredentials, None)),
            Code::RateLimited => Ok(redirect_to_form(context, FormError::SignInLocked, error.retry_after())),
            _ => Err(error),
        },
    }
}

/// Redirects to the form, which shows the error, also when a caller is signed in: they were changing the account.
fn redirect_to_form(context: &PageContext, error: FormError, wait: Option<Duration>) -> Response {
    let url = context.with_wait(&error.append_to(&context.return_target().append_to("/signin")), wait);
    match context.find_caller() {
        Some(_) => see_other(&with_parameter(&url, &format!("{OTHER_ACCOUNT}=yes"))),
        None => see_other(&url),
    }
}

/// Renders the form and sets the pre-session cookie, which lasts until the sign-in.
fn render(context: &PageContext, page: SignInPage) -> Result<Response> {
    let cookie = context.cookie(presession_token::NAME);
    let token = PreSessionToken::reuse_or_mint(cookie, context.site.entropy.as_ref())?;
    let target = context.return_target();
    let page = SignInPage {
        token: token.expose().to_owned(),
        action: target.append_to("/signin"),
        return_to: target.path(),
        for_device: matches!(target, ReturnTarget::Device(_)),
        ..page
    };
    let mut response = context.render(StatusCode::OK, PageTemplate::SignIn, &page)?;
    set_cookie(
        &mut response,
        &context.site.services.cookies.cookie(presession_token::NAME, token.expose(), None, true),
    );
    Ok(response)
}

/// Ends the browser session.
pub(crate) async fn sign_out(context: &PageContext) -> Result<Response> {
    context.site.services.console.logout(context.caller()?).await?;
    let mut response = see_other(&with_parameter(&context.return_target().append_to("/signin"), "done=yes"));
    set_cookies(&mut response, &context.site.services.cookies.cleared());
    Ok(response)
}
