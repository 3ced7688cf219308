//! Whose share of the memory a request uses: its subject's, or, before there is one, its address'.

use http::Extensions;

use crate::{
    domain::{
        caller::{Caller, ClientAddress, ConsoleCaller},
        subject::Subject,
    },
    memory::Owner,
};

pub(crate) fn memory_owner(extensions: &Extensions) -> Owner {
    if let Some(caller) = extensions.get::<Caller>() {
        return match &caller.token.subject {
            Subject::Account { id, .. } => Owner::of(&id.0),
            Subject::ExternalSso { email, issuer } => Owner::of(&(email, issuer)),
        };
    }
    if let Some(caller) = extensions.get::<ConsoleCaller>() {
        return Owner::of(&caller.account.id.0);
    }
    Owner::of(&extensions.get::<ClientAddress>().map(|address| address.bucket()))
}

/// Whether the caller of a request is known: a subject, or the account of a browser session.
pub(super) fn is_authenticated(extensions: &Extensions) -> bool {
    extensions.get::<Caller>().is_some() || extensions.get::<ConsoleCaller>().is_some()
}
