//! Signing in and out with a browser, where this service has browser sessions of its own; and the way to Dify's console
//! where it has not.

use std::time::Duration;

use axum::response::Response;
use chrono::TimeDelta;
use http::StatusCode;
use serde::Serialize;
use url::Url;

use super::{
    PageSettings,
    failed::Failure,
    look::Template,
    presession::{self, PreSession},
    refusal::wait,
    return_target::ReturnTarget,
    visit::{Visit, see_other, with},
};
use crate::{
    domain::{Code, Result},
    http::answer::{set_cookie, set_cookies},
    rpc::reply::REFRESH_TOKEN,
};

/// Says that whoever is signed in is about to become somebody else.
const ANOTHER: &str = "another";

/// Where people sign in.
pub(super) enum SignInAt {
    /// On the page of this service.
    Here,
    /// At Dify's console.
    Console {
        /// Its sign-in page, if it is known.
        sign_in: Option<Url>,
        /// This service's own URL.
        issuer: String,
        /// Whether that page is of our origin.
        same_origin: bool,
    },
}

/// How a person gets to where they sign in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// They are sent there.
    Redirect(String),
    /// They follow a link, if we know it: a form may not end on another origin, not even by a redirect.
    Link(Option<String>),
}

impl SignInAt {
    /// By the deployment.
    pub(super) fn new(settings: &PageSettings) -> Self {
        if settings.standalone {
            return Self::Here;
        }
        let sign_in = settings.console_sign_in_url.as_deref().and_then(|url| Url::parse(url).ok());
        let ours = Url::parse(&settings.issuer).ok().map(|url| url.origin());
        let same_origin = sign_in.as_ref().is_some_and(|url| Some(url.origin()) == ours);
        Self::Console { sign_in, issuer: settings.issuer.clone(), same_origin }
    }

    /// The way to sign in and back to a page.
    pub(super) fn way(&self, target: &ReturnTarget) -> Way {
        match self {
            Self::Here => Way::Redirect(target.append_to("/signin")),
            Self::Console { sign_in, issuer, same_origin } => {
                let href = sign_in.clone().map(|mut url| {
                    url.query_pairs_mut().append_pair("redirect_url", &format!("{issuer}{}", target.path()));
                    url.to_string()
                });
                match href {
                    Some(href) if *same_origin => Way::Redirect(href),
                    href => Way::Link(href),
                }
            }
        }
    }
}

/// The sign-in form.
#[derive(Default, Serialize)]
pub(super) struct SignInPage {
    /// The pre-session token.
    pub token: String,
    /// Where the form goes: the address stays where a store is down, so it says what a reload needs.
    pub action: String,
    /// Where to go afterwards.
    pub return_to: String,
    /// Whether that is a device's page.
    pub for_device: bool,
    /// Something worth knowing.
    pub notice: Option<String>,
    /// What went wrong.
    pub error: Option<String>,
    /// Whether it was what they typed.
    pub wrong: bool,
}

/// The form; straight on for whoever is signed in, or still can be by the refresh cookie.
pub(super) fn show(visit: &Visit) -> Result<Response> {
    let target = visit.return_target();
    if visit.find_caller().is_some() && visit.query(ANOTHER).is_none() {
        return Ok(see_other(&target.path()));
    }
    let (ended, failure) = (visit.query("ended").is_some(), visit.failure());
    if !ended && failure.is_none() && visit.cookie(REFRESH_TOKEN).is_some_and(|token| !token.is_empty()) {
        return Ok(see_other(&target.append_to("/signin/refresh")));
    }
    let signed_out = visit.query("done").is_some();
    let notice = match (ended, signed_out) {
        (true, _) => Some("sign_in_ended"),
        (_, true) => Some("signed_out"),
        _ => None,
    };
    let notice = notice.map(|key| visit.texts().get(key).to_owned());
    let error = failure.and_then(|failure| explain(visit, failure));
    form(visit, SignInPage { notice, error, wrong: failure == Some(Failure::Wrong), ..SignInPage::default() })
}

/// What was wrong with the form, in words; nothing once a lock is off.
fn explain(visit: &Visit, failure: Failure) -> Option<String> {
    let texts = visit.texts();
    let key = match failure {
        Failure::Wrong => "sign_in_wrong",
        Failure::Incomplete => "sign_in_incomplete",
        Failure::Stale => "sign_in_stale",
        Failure::Locked => "sign_in_locked",
        Failure::Malformed | Failure::Unticked => return None,
    };
    let words = texts.get(key).to_owned();
    match visit.left().filter(|_| failure == Failure::Locked) {
        None => Some(words),
        Some(left) => (!left.is_zero()).then(|| format!("{words} {}", wait(texts, left))),
    }
}

/// Continues a session whose access cookie has run out. Only ever reached by a redirect from the form.
pub(super) async fn refresh(visit: &Visit) -> Result<Response> {
    let target = visit.return_target();
    let token = visit.cookie(REFRESH_TOKEN).filter(|_| visit.find_caller().is_none());
    let Some(token) = token else { return Ok(see_other(&target.append_to("/signin"))) };
    match visit.site.rpc.console.refresh(token).await {
        Ok(issued) => {
            let mut response = see_other(&target.path());
            set_cookies(&mut response, &visit.site.rpc.cookies.issued(&issued));
            Ok(response)
        }
        Err(error) if error.code() == Code::InvalidSession => {
            let mut response = see_other(&with(&target.append_to("/signin"), "ended=yes"));
            set_cookies(&mut response, &visit.site.rpc.cookies.cleared());
            Ok(response)
        }
        Err(error) => Err(error),
    }
}

/// Signs in and goes straight back; so does whoever has signed in in another tab meanwhile, which used this form's token up.
pub(super) async fn submit(visit: &Visit) -> Result<Response> {
    let email = visit.form.text("email").trim();
    if !PreSession::holds(visit.cookie(presession::NAME), visit.form.text(presession::NAME)) {
        // As themselves only: whoever types another address means to be somebody else.
        if visit.find_caller().is_some_and(|caller| caller.account.email.eq_ignore_ascii_case(email)) {
            return Ok(see_other(&visit.return_target().path()));
        }
        return Ok(failed(visit, Failure::Stale, None));
    }
    let Some(password) =
        visit.form.secret("password").filter(|password| !password.expose().is_empty() && !email.is_empty())
    else {
        return Ok(failed(visit, Failure::Incomplete, None));
    };
    let (remember, address) = (visit.form.ticked("remember"), visit.address()?);
    match visit.site.rpc.console.login(email, password.clone(), remember, address).await {
        Ok(issued) => {
            let cookies = &visit.site.rpc.cookies;
            let mut response = see_other(&visit.return_target().path());
            set_cookies(&mut response, &cookies.issued(&issued));
            set_cookie(&mut response, &cookies.cookie(presession::NAME, "", Some(TimeDelta::zero()), true));
            Ok(response)
        }
        Err(error) => match error.code() {
            Code::AuthenticationFailed => Ok(failed(visit, Failure::Wrong, None)),
            Code::RateLimited => Ok(failed(visit, Failure::Locked, error.retry_after())),
            _ => Err(error),
        },
    }
}

/// Back to the form, which says what was wrong; to whoever is signed in already, too, as they meant to be somebody else.
fn failed(visit: &Visit, failure: Failure, retry: Option<Duration>) -> Response {
    let address = visit.until(&failure.at(&visit.return_target().append_to("/signin")), retry);
    match visit.find_caller() {
        Some(_) => see_other(&with(&address, &format!("{ANOTHER}=yes"))),
        None => see_other(&address),
    }
}

/// Draws the form with a pre-session token, which the browser keeps until it has signed in.
fn form(visit: &Visit, page: SignInPage) -> Result<Response> {
    let token = PreSession::resume_or_mint(visit.cookie(presession::NAME), visit.site.entropy.as_ref())?;
    let target = visit.return_target();
    let page = SignInPage {
        token: token.expose().to_owned(),
        action: target.append_to("/signin"),
        return_to: target.path(),
        for_device: matches!(target, ReturnTarget::Device(_)),
        ..page
    };
    let mut response = visit.draw(StatusCode::OK, Template::SignIn, &page)?;
    set_cookie(&mut response, &visit.site.rpc.cookies.cookie(presession::NAME, token.expose(), None, true));
    Ok(response)
}

/// Ends the browser's session.
pub(super) async fn sign_out(visit: &Visit) -> Result<Response> {
    visit.site.rpc.console.logout(visit.caller()?).await?;
    let mut response = see_other(&with(&visit.return_target().append_to("/signin"), "done=yes"));
    set_cookies(&mut response, &visit.site.rpc.cookies.cleared());
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(standalone: bool, console: Option<&str>) -> Way {
        let settings = PageSettings {
            standalone,
            issuer: "https://dify.example".to_owned(),
            console_sign_in_url: console.map(str::to_owned),
        };
        SignInAt::new(&settings).way(&ReturnTarget::Sessions(None))
    }

    #[test]
    fn standalone_people_sign_in_here() {
        assert_eq!(way(true, None), Way::Redirect("/signin?return=/device/sessions".to_owned()));
    }

    #[test]
    fn beside_dify_they_sign_in_at_its_console_and_come_back() {
        let query = "redirect_url=https%3A%2F%2Fdify.example%2Fdevice%2Fsessions";
        assert_eq!(
            way(false, Some("https://dify.example/signin")),
            Way::Redirect(format!("https://dify.example/signin?{query}"))
        );
        assert_eq!(
            way(false, Some("https://other.example/signin")),
            Way::Link(Some(format!("https://other.example/signin?{query}")))
        );
        assert_eq!(way(false, None), Way::Link(None));
    }
}
