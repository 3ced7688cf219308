//! Domain errors as pages: in words for people, with what to do next, under the status the JSON door would give.

use std::time::Duration;

use axum::response::Response;
use http::StatusCode;

use super::{
    carries_form,
    language::{Texts, fill},
    look::Template,
    notice::{Notice, Tone},
    return_target::ReturnTarget,
    sign_in::Way,
    visit::{Visit, see_other},
};
use crate::{
    domain::{Code, Error, Result},
    http::{
        answer::{retry_after, whole_seconds},
        error_body,
        status::http_status,
    },
    telemetry::{failure, request_id},
};

impl Visit {
    /// The answer to a visit that failed. Whoever only has to sign in is sent there, and back afterwards.
    pub(super) fn refuse(&self, error: &Error) -> Response {
        failure::log(error);
        if let Some(told) = carries_form(&self.parts.method).then(|| self.told_at(error)).flatten() {
            return told;
        }
        let status = http_status(error.code());
        // A console that takes a session for good which we do not would send the person back at once, round and round.
        let sent = self.site.standalone || error.code() == Code::NoSession;
        // Whoever has just sent a form is told first that it came to nothing.
        let told = self.told().is_some_and(|told| told.code() == Code::NoSession);
        if let (Some(Way::Redirect(location)), true, true, false) =
            (self.way(error), sent, self.parts.method.is_safe(), told)
        {
            return see_other(&location);
        }
        let mut response = self.notice(status, error).unwrap_or_else(|fault| {
            failure::log(&fault);
            error_body::respond(error, None)
        });
        if let Some(after) = error.retry_after() {
            retry_after(&mut response, after);
        }
        response
    }

    /// What happened and what can be done about it.
    pub(super) fn notice(&self, status: StatusCode, error: &Error) -> Result<Response> {
        let way = self.way(error);
        let notice = notice(self.texts(), &self.site.login_command, error, &self.home(), &self.back(), way.as_ref());
        self.draw(status, Template::Notice, &notice)
    }

    /// The way to sign in, where that is all that is missing.
    fn way(&self, error: &Error) -> Option<Way> {
        (http_status(error.code()) == StatusCode::UNAUTHORIZED).then(|| self.site.sign_in_at.way(&self.home()))
    }
}

/// When to try again, in words.
pub(super) fn wait(texts: &Texts, after: Duration) -> String {
    match whole_seconds(after) {
        seconds @ ..=90 => fill(texts.get("wait_seconds"), seconds),
        seconds @ ..=5_400 => fill(texts.get("wait_minutes"), seconds.div_ceil(60)),
        seconds => fill(texts.get("wait_hours"), seconds.div_ceil(3_600)),
    }
}

/// What a failure is called, and what can be done about it on the page at hand.
fn notice(texts: &Texts, command: &str, error: &Error, target: &ReturnTarget, back: &str, way: Option<&Way>) -> Notice {
    let code = error.code();
    if let Some(way) = way {
        return signed_out(texts, target, way);
    }
    let again = || (back, texts.get("look_again"));
    let wait = error.retry_after().map(|after| wait(texts, after));
    match code {
        Code::NotFound if matches!(target, ReturnTarget::Sessions(_)) => Notice::session_gone(texts, back),
        Code::NotFound if matches!(target, ReturnTarget::Device(_)) => Notice::expired(texts, command),
        Code::NotFound | Code::MethodNotAllowed | Code::Unimplemented => Notice::missing(texts),
        Code::AlreadyResolved => Notice::new(texts, Tone::Stop, "resolved_title", "resolved_text")
            .command(command)
            .action("/device/sessions", texts.get("nav_sessions")),
        Code::ApproveInProgress => {
            Notice::new(texts, Tone::Wait, "busy_title", "busy_text").action(again().0, again().1)
        }
        Code::RateLimited => {
            Notice::new(texts, Tone::Wait, "limited_title", "limited_text").wait(wait).action(again().0, again().1)
        }
        Code::CsrfMismatch => Notice::new(texts, Tone::Wait, "csrf_title", "csrf_text").action(again().0, again().1),
        Code::BearerAuthDisabled => Notice::new(texts, Tone::Stop, "disabled_title", "disabled_text"),
        Code::ServiceUnavailable | Code::UserCodeExhausted => {
            Notice::new(texts, Tone::Wait, "unavailable_title", "unavailable_text")
                .wait(wait)
                .action(again().0, again().1)
                .reference(request_id::current().to_string())
        }
        Code::InternalServerError | Code::InternalStateInvariant => {
            Notice::new(texts, Tone::Wait, "fault_title", "fault_text")
                .action(again().0, again().1)
                .reference(request_id::current().to_string())
        }
        _ => Notice::new(texts, Tone::Wait, "bad_title", "bad_text").action(again().0, again().1),
    }
}

/// Nobody is signed in, and either a form was posted or the way to sign in is a link.
fn signed_out(texts: &Texts, target: &ReturnTarget, way: &Way) -> Notice {
    let back = |notice: Notice| notice.action(target.path(), texts.get("come_back"));
    match way {
        Way::Redirect(href) => {
            Notice::new(texts, Tone::Wait, "session_title", "session_text").action(href, texts.get("sign_in"))
        }
        Way::Link(Some(href)) => back(
            Notice::new(texts, Tone::Wait, "session_title", "elsewhere_text")
                .action(href, texts.get("sign_in_at_dify")),
        ),
        Way::Link(None) => back(Notice::new(texts, Tone::Wait, "session_title", "elsewhere_text")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::pages::{
        language::Language,
        look::{Frame, Look},
    };

    #[test]
    fn every_code_has_words_in_both_languages() {
        let look = Look::new().expect("a look");
        for language in Language::ALL {
            for code in Code::ALL {
                for target in
                    [ReturnTarget::EnterCode, ReturnTarget::Sessions(None), ReturnTarget::Device("h".to_owned())]
                {
                    let error = Error::new(*code, "internal words").with_retry_after(Duration::from_secs(100));
                    let notice = notice(look.texts(language), "difyctl", &error, &target, &target.path(), None);
                    let frame = Frame { language, here: "/device", back_to: "/device", person: None, csrf: "" };
                    let html = look.draw(Template::Notice, &frame, &notice).expect("a page");
                    assert!(
                        !html.contains("internal words") && !html.contains("_title") && !html.contains("_text<"),
                        "{code:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn waiting_is_rounded_up() {
        let texts = Texts::read(Language::English).expect("texts");
        assert_eq!(wait(&texts, Duration::from_millis(200)), "Try again in 1 s.");
        assert_eq!(wait(&texts, Duration::from_millis(89_001)), "Try again in 90 s.");
        assert_eq!(wait(&texts, Duration::from_secs(121)), "Try again in about 3 min.");
        assert_eq!(wait(&texts, Duration::from_secs(86_000)), "Try again in about 24 h.");
    }
}
