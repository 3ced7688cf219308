//! Callers as the owners of files.

use super::run::run_owner::{external_user, user_name};
use crate::domain::{app::App, conversation::EndUser, file::uploaded::FileOwner, subject::Subject};

/// The owner of the subject's files, and the row that is written with the file of an external identity.
pub(super) fn file_owner(subject: &Subject, app: &App) -> (FileOwner, Option<EndUser>) {
    if let Some(account) = subject.account_id() {
        return (FileOwner::Account(account), None);
    }
    let user = EndUser::new(app.workspace_id, app.id, user_name(subject), external_user(subject));
    (FileOwner::EndUser(user.id()), Some(user))
}
