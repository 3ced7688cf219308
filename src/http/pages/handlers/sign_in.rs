//! Sign-in and sign-out with a browser session of this service. Routed only where this service has such sessions.

use std::time::Duration;

use axum::response::Response;
use chrono::TimeDelta;
use http::StatusCode;
use serde::Serialize;

use super::{
    continue_session,
    single_sign_on::{self, SsoLink},
};
use crate::{
    domain::{Code, Result},
    http::{
        answer::{set_cookie, set_cookies},
        pages::{
            context::PageContext,
            form_error::FormError,
            location::{see_other, with_parameter},
            notice_redirect::see_other_with_notice,
            presession_token::{self, PreSessionToken},
            renderer::PageTemplate,
            return_target::ReturnTarget,
        },
    },
    rpc::reply::{KNOWN_BROWSER, REFRESH_TOKEN},
};

/// Query parameter: the form is for another account than the one that is signed in.
const OTHER_ACCOUNT: &str = "another";
/// Notice after signing out.
const SIGNED_OUT: &str = "signed_out";

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
    /// The link to the identity provider, if accounts can sign in there.
    pub sso: Option<SsoLink>,
}

/// Shows the form. A caller who is signed in is redirected instead, and one with a refresh cookie may continue with it.
pub(crate) fn show(context: &PageContext) -> Result<Response> {
    let target = context.return_target();
    let is_other_account = context.query_param(OTHER_ACCOUNT).is_some();
    if context.find_caller().is_some() && !is_other_account {
        return Ok(see_other(&target.path()));
    }
    let form_error = FormError::noticed(context);
    let rejection = single_sign_on::noticed_rejection(context);
    let has_refresh_token = context.cookie(REFRESH_TOKEN).is_some_and(|token| !token.is_empty());
    if !is_other_account && form_error.is_none() && rejection.is_none() && has_refresh_token {
        let another = with_parameter(&target.append_to("/signin"), &format!("{OTHER_ACCOUNT}=yes"));
        return continue_session::show(context, another);
    }
    let notice = match context.notice() {
        Some(continue_session::ENDED) => Some("sign_in_ended"),
        Some(SIGNED_OUT) => Some("signed_out"),
        _ => None,
    };
    let page = SignInPage {
        notice: notice.map(|key| context.texts().get(key).to_owned()),
        error: form_error.and_then(|error| error_text(context, error)).or_else(|| {
            rejection.map(|rejection| context.texts().get(single_sign_on::rejection_text(rejection)).to_owned())
        }),
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
        FormError::MalformedCode | FormError::Unconfirmed | FormError::InvalidName => return None,
    };
    let text = texts.get(key).to_owned();
    match context.remaining_wait().filter(|_| error == FormError::SignInLocked) {
        None => Some(text),
        Some(wait) => (!wait.is_zero()).then(|| format!("{text} {}", texts.retry_after(wait))),
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
        return redirect_to_form(context, FormError::ExpiredForm, None);
    }
    let Some(password) =
        context.form.secret("password").filter(|password| !password.expose().is_empty() && !email.is_empty())
    else {
        return redirect_to_form(context, FormError::MissingCredentials, None);
    };
    let (remember, origin) = (context.form.is_checked("remember"), context.request_origin()?);
    let known_browser = context.cookie(KNOWN_BROWSER);
    match context.site.services.console.login(email, password.clone(), remember, origin, known_browser).await {
        Ok(issued) => {
            let cookies = &context.site.services.cookies;
            let mut response = see_other(&context.return_target().path());
            set_cookies(&mut response, &cookies.issued(&issued));
            set_cookie(&mut response, &cookies.cookie(presession_token::NAME, "", Some(TimeDelta::zero()), true));
            Ok(response)
        }
        Err(error) => match error.code() {
            Code::AuthenticationFailed => redirect_to_form(context, FormError::WrongCredentials, None),
            Code::RateLimited => redirect_to_form(context, FormError::SignInLocked, error.retry_after()),
            _ => Err(error),
        },
    }
}

/// Redirects to the form, which shows the error, also when a caller is signed in: they were changing the account.
fn redirect_to_form(context: &PageContext, error: FormError, wait: Option<Duration>) -> Result<Response> {
    let form = context.return_target().append_to("/signin");
    let url = match context.find_caller() {
        Some(_) => with_parameter(&form, &format!("{OTHER_ACCOUNT}=yes")),
        None => form,
    };
    see_other_with_notice(context, &url, error.word(), wait)
}

/// Renders the form and sets the pre-session cookie, which lasts until the sign-in.
fn render(context: &PageContext, page: SignInPage) -> Result<Response> {
    let cookie = context.cookie(presession_token::NAME);
    let token = PreSessionToken::reuse_or_mint(cookie, context.site.entropy.as_ref())?;
    let target = context.return_target();
    let page =
        SignInPage {
            token: token.expose().to_owned(),
            action: target.append_to("/signin"),
            return_to: target.path(),
            for_device: matches!(target, ReturnTarget::Device(_)),
            sso: context.site.services.single_sign_on.is_offered_to_accounts().then(|| SsoLink {
                href: target.append_to("/signin/sso"),
                label: single_sign_on::button_text(context),
            }),
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
    let form = context.return_target().append_to("/signin");
    let mut response = see_other_with_notice(context, &form, SIGNED_OUT, None)?;
    set_cookies(&mut response, &context.site.services.cookies.cleared());
    Ok(response)
}
