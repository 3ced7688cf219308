//! What was wrong with a submitted form that the person can correct. The browser is redirected to the form, whose query
//! then names the error, so that neither reloading nor going back submits the form again. The query holds nothing that
//! the person typed. Errors of the services, after which the same form cannot succeed, are in `error_redirect`.

use super::{context::PageContext, location::with_parameter};

/// An error in a form that can be filled in again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FormError {
    /// The email address or the password is wrong.
    WrongCredentials,
    /// The account is locked after too many wrong passwords.
    SignInLocked,
    /// The email address or the password is missing.
    MissingCredentials,
    /// The form's pre-session token is not the one in the cookie.
    ExpiredForm,
    /// The text is not shaped like a user code.
    MalformedCode,
    /// The box that confirms the device is the person's own is not ticked.
    Unconfirmed,
}

impl FormError {
    const ALL: [Self; 6] = [
        Self::WrongCredentials,
        Self::SignInLocked,
        Self::MissingCredentials,
        Self::ExpiredForm,
        Self::MalformedCode,
        Self::Unconfirmed,
    ];

    /// The query parameter that stands for the error.
    const fn parameter(self) -> &'static str {
        match self {
            Self::WrongCredentials => "wrong",
            Self::SignInLocked => "locked",
            Self::MissingCredentials => "incomplete",
            Self::ExpiredForm => "stale",
            Self::MalformedCode => "malformed",
            Self::Unconfirmed => "unticked",
        }
    }

    /// The address of the form, with this error in its query.
    pub(super) fn append_to(self, form_url: &str) -> String {
        with_parameter(form_url, &format!("{}=yes", self.parameter()))
    }

    /// The error that the query of a request names.
    pub(super) fn in_query(context: &PageContext) -> Option<Self> {
        Self::ALL.into_iter().find(|error| context.query_param(error.parameter()).is_some())
    }
}
