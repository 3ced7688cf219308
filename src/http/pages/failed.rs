//! Forms that failed. The browser is sent on to a page that says why, so that neither refreshing it nor going back sends a
//! form again. That page's address holds a word of a fixed set and at most a moment, and nothing that was typed.

use std::time::Duration;

use axum::response::Response;

use super::{
    return_target::ReturnTarget,
    visit::{Visit, see_other, with},
};
use crate::{
    domain::{Code, Error},
    http::answer::whole_seconds,
    pipeline::fetch_site::is_same_origin,
};

/// The code that a form was refused with.
const REFUSED: &str = "refused";
/// When a refusal is over, in seconds since the epoch.
const UNTIL: &str = "until";

/// The refusals that have a page; any other is answered where it happens.
const TOLD: [Code; 6] = [
    Code::NoSession,
    Code::NotFound,
    Code::AlreadyResolved,
    Code::ApproveInProgress,
    Code::RateLimited,
    Code::CsrfMismatch,
];

/// What was wrong with a form that can be filled in once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The email address or the password.
    Wrong,
    /// Too many of them were.
    Locked,
    /// One of them was missing.
    Incomplete,
    /// It was of an earlier page.
    Stale,
    /// The code was none.
    Malformed,
    /// The box was not ticked.
    Unticked,
}

impl Failure {
    const ALL: [Self; 6] = [Self::Wrong, Self::Locked, Self::Incomplete, Self::Stale, Self::Malformed, Self::Unticked];

    const fn word(self) -> &'static str {
        match self {
            Self::Wrong => "wrong",
            Self::Locked => "locked",
            Self::Incomplete => "incomplete",
            Self::Stale => "stale",
            Self::Malformed => "malformed",
            Self::Unticked => "unticked",
        }
    }

    /// The address of a form, saying that this was wrong with it.
    pub(super) fn at(self, form: &str) -> String {
        with(form, &format!("{}=yes", self.word()))
    }
}

impl Visit {
    /// What was wrong with the form when it was sent, as the address says.
    pub(super) fn failure(&self) -> Option<Failure> {
        Failure::ALL.into_iter().find(|failure| self.query(failure.word()).is_some())
    }

    /// An address that also says when to try again.
    pub(super) fn until(&self, address: &str, after: Option<Duration>) -> String {
        let Some(after) = after else { return address.to_owned() };
        let end = self.site.clock.now().timestamp().saturating_add_unsigned(whole_seconds(after));
        with(address, &format!("{UNTIL}={end}"))
    }

    /// How long is left of the wait that the address tells, if it tells one: nothing once it is over.
    pub(super) fn left(&self) -> Option<Duration> {
        let end: u32 = self.query(UNTIL)?.parse().ok()?;
        let left = i64::from(end) - self.site.clock.now().timestamp();
        Some(Duration::from_secs(u64::try_from(left).unwrap_or(0)))
    }

    /// Where to be told of a refused form; `None` where the answer itself is to tell.
    pub(super) fn told_at(&self, error: &Error) -> Option<Response> {
        let code = match error.code() {
            Code::InvalidSession => Code::NoSession,
            // Nothing of ours is there, so that was no form of ours.
            Code::NotFound if self.home() == ReturnTarget::EnterCode => return None,
            // Only a browser knows that the form was of a page of ours, which had gone stale.
            Code::CsrfMismatch if !is_same_origin(&self.parts.headers) => return None,
            code => code,
        };
        let word = TOLD.contains(&code).then(|| code.as_str())?;
        Some(see_other(&self.until(&with(&self.back(), &format!("{REFUSED}={word}")), error.retry_after())))
    }

    /// The refusal that this page's address tells of, as long as it holds.
    pub(super) fn told(&self) -> Option<Error> {
        let path = self.parts.uri.path();
        let word = self.query(REFUSED).filter(|_| ReturnTarget::of_path(path).path() == path)?;
        let code = TOLD.into_iter().find(|code| code.as_str() == word)?;
        let over = match code {
            Code::NoSession => self.find_caller().is_some(),
            _ => self.left().is_some_and(|left| left.is_zero()),
        };
        let error = Error::new(code, "A form was refused.");
        (!over).then(|| match self.left() {
            Some(left) => error.with_retry_after(left),
            None => error,
        })
    }
}
