//! Callers as the owners of runs.

use sha2::{Digest as _, Sha256};

use crate::domain::{
    app::App,
    caller::Caller,
    conversation::{EndUser, ExternalUser},
    id::EndUserId,
    secret::hex,
    subject::Subject,
};

/// The caller as the owner of runs of an app.
pub(super) fn owner(caller: &Caller, app: &App) -> EndUserId {
    let subject = &caller.token.subject;
    EndUser::new(app.workspace_id, app.id, user_name(subject), external_user(subject)).id()
}

/// The identity that the rows of an external identity's runs name.
pub(in crate::service) fn external_user(subject: &Subject) -> Option<ExternalUser> {
    match subject {
        Subject::Account { .. } => None,
        Subject::ExternalSso { email, issuer } => {
            Some(ExternalUser { email: email.to_lowercase(), issuer: issuer.clone() })
        }
    }
}

/// The subject's name in the app's data. It does not depend on `SECRET_KEY` and does not reveal the subject.
pub(in crate::service) fn user_name(subject: &Subject) -> String {
    let mut hash = Sha256::new();
    hash.update(b"dify-openapi app user\0");
    match subject {
        Subject::Account { id, .. } => hash.update(id.0.as_bytes()),
        Subject::ExternalSso { email, issuer } => {
            hash.update(issuer.as_bytes());
            hash.update([0]);
            hash.update(email.to_lowercase().as_bytes());
        }
    }
    format!("openapi-{}", hex(&hash.finalize()[..16]))
}
