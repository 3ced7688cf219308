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
