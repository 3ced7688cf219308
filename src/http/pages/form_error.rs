//! What was wrong with a submitted form that the person can correct. The browser is redirected to the form, which shows
//! the error as a notice. The redirect holds nothing that the person typed. Errors of the services, after which the
//! same form cannot succeed, are in `error_redirect`.

use axum::response::Response;

use super::{context::PageContext, notice_redirect::see_other_with_notice};
use crate::domain::Result;

/// An error in a form that can be filled in again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FormError {
    /// The email address or the password is wrong.
    WrongCredentials,
    /// Too many wrong passwords.
    SignInLocked,
    /// The email address or the password is missing.
    MissingCredentials,
    /// The form's pre-session token is not the one in the cookie.
    ExpiredForm,
    /// The text is not shaped like a user code.
    MalformedCode,
    /// The box that confirms the device is the person's own is not ticked.
    Unconfirmed,
    /// The name of a session is empty, too long or cannot be seen.
    InvalidName,
}

impl FormError {
    const ALL: [Self; 7] = [
        Self::WrongCredentials,
        Self::SignInLocked,
        Self::MissingCredentials,
        Self::ExpiredForm,
        Self::MalformedCode,
        Self::Unconfirmed,
        Self::InvalidName,
    ];

    /// The name of the notice.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::WrongCredentials => "wrong",
            Self::SignInLocked => "locked",
            Self::MissingCredentials => "incomplete",
            Self::ExpiredForm => "stale",
            Self::MalformedCode => "malformed",
            Self::Unconfirmed => "unticked",
            Self::InvalidName => "invalid_name",
        }
    }

    /// Redirects to the form, which shows the error.
    pub(super) fn redirect(self, context: &PageContext, form_url: &str) -> Result<Response> {
        see_other_with_notice(context, form_url, self.word(), None)
    }

    /// The error that a request for the form has to show.
    pub(super) fn noticed(context: &PageContext) -> Option<Self> {
        let word = context.notice()?;
        Self::ALL.into_iter().find(|error| error.word() == word)
    }
}
