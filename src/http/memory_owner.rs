//! Whose share of the memory a request uses: its subject's, or, before there is one, its address'.

use http::Extensions;

use crate::{
    domain::caller::{Caller, ClientAddress, ConsoleCaller},
    memory::Owner,
};

pub(crate) fn memory_owner(extensions: &Extensions) -> Owner {
    if let Some(caller) = extensions.get::<Caller>() {
        return Owner::of_subject(&caller.token.subject);
    }
    if let Some(caller) = extensions.get::<ConsoleCaller>() {
        return Owner::of(&caller.account.id.0);
    }
    Owner::of(&extensions.get::<ClientAddress>().map(|address| address.network()))
}

/// Whether the caller of a request is known: a subject, or the account of a browser session.
pub(super) fn is_authenticated(extensions: &Extensions) -> bool {
    extensions.get::<Caller>().is_some() || extensions.get::<ConsoleCaller>().is_some()
}
