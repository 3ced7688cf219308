//! Passwords: Argon2id for ours; rows that Dify wrote with PBKDF2 still verify. Hashing is slow on purpose, so it runs
//! on threads of its own, few at a time, with a bounded queue that is fair by client.

mod argon;
mod queue;
mod stored;
mod workers;

use std::{sync::Arc, thread};

pub(crate) use self::stored::Stored;
use self::{argon::MEMORY_BYTES, workers::Workers};
use crate::{
    domain::{Result, caller::ClientAddress, secret::Secret},
    memory::{MemoryKind, MemoryLedger, Owner},
};

/// The most hashes at the same time. On a small machine half its cores, so that the other half is for other requests.
const MAX_WORKERS: usize = 8;

/// Hashes and verifies, bounded. Clones share the threads, which end with the last of them.
#[derive(Clone)]
pub struct Passwords(Arc<Workers>);

impl Passwords {
    /// As many threads as the processors and the memory for hashing allow.
    pub fn new(memory: &MemoryLedger) -> Result<Self> {
        let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let max_workers = (memory.limit(MemoryKind::Hashing) / MEMORY_BYTES).clamp(1, MAX_WORKERS);
        Ok(Self(Arc::new(Workers::start((cores / 2).clamp(1, max_workers), memory)?)))
    }

    /// Verifies a password for a client. The work is the same when nothing is stored, so that its time reveals nothing.
    pub async fn verify(&self, client: ClientAddress, password: Secret, stored: Option<Stored>) -> Result<bool> {
        let client = Owner::of(&client.bucket());
        self.0.run(client, move |memory| argon::verify(&password, stored.as_ref(), memory)).await
    }

    /// Returns the PHC string of a client's new password.
    pub async fn hash_for(&self, client: ClientAddress, password: Secret) -> Result<Secret> {
        self.0.run(Owner::of(&client.bucket()), move |memory| argon::hash(&password, memory)).await
    }

    /// Returns the PHC string of a new password of an operator.
    pub async fn hash(&self, password: Secret) -> Result<Secret> {
        self.0.run(Owner::of(&"operator"), move |memory| argon::hash(&password, memory)).await
    }
}

/// The reason why a new password is not acceptable, for its owner.
pub(crate) fn unacceptable(password: &str) -> Option<&'static str> {
    if password.chars().count() < 8 {
        Some("A password needs at least 8 characters.")
    } else if password.len() > 1024 {
        Some("A password may be at most 1024 bytes long.")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    #[tokio::test]
    async fn a_new_password_verifies_and_another_does_not() {
        let memory = MemoryLedger::new(256 << 20);
        let passwords = Passwords::new(&memory).unwrap();
        let client = ClientAddress(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let hash = passwords.hash(Secret::new("correct horse")).await.unwrap();
        assert!(hash.expose().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.expose());
        let verify = async |password: &'static str, stored| {
            passwords.verify(client, Secret::new(password), stored).await.unwrap()
        };
        let stored = || Some(Stored { hash: hash.clone(), salt: None });
        assert!(verify("correct horse", stored()).await);
        assert!(!verify("wrong horse", stored()).await);
        assert!(!verify("correct horse", None).await);
        assert_ne!(hash.expose(), passwords.hash(Secret::new("correct horse")).await.unwrap().expose());
        assert!(memory.used(MemoryKind::Hashing) <= memory.limit(MemoryKind::Hashing));
    }

    #[tokio::test]
    async fn hashing_without_memory_is_unavailable() {
        let memory = MemoryLedger::with_limits(|_| MEMORY_BYTES);
        let _used = memory.reserve(MemoryKind::Hashing, 1).unwrap();
        let refusal = Passwords::new(&memory).unwrap().hash(Secret::new("correct horse")).await.unwrap_err();
        assert_eq!(refusal.code(), crate::domain::Code::ServiceUnavailable);
    }
}
