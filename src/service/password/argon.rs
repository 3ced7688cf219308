//! The work itself: Argon2id in memory that is used again, and PBKDF2 for rows of Dify.

use argon2::{
    Algorithm, Argon2, Block, Params, PasswordHash, Version,
    password_hash::phc::{Output, ParamsString, Salt},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use zeroize::Zeroize;

use super::stored::Stored;
use crate::{
    domain::{
        Error, Result,
        secret::{Secret, constant_time_eq, hex},
    },
    memory::{MemoryKind, MemoryLedger, MemoryPermit},
    ports::entropy::{Entropy, SystemEntropy},
};

/// OWASP's second Argon2id setting: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
/// The memory of one hash, in bytes.
pub(super) const MEMORY_BYTES: usize = 19 << 20;
/// The most memory of a stored hash with other parameters, in bytes.
const MAX_MEMORY_BYTES: usize = 64 << 20;
/// Bytes of a salt and of a digest.
const SALT_LENGTH: usize = 16;
const DIGEST_LENGTH: usize = 32;
/// Rounds of Dify's PBKDF2-HMAC-SHA256.
const DIFY_ROUNDS: u32 = 10_000;
/// Stands in for the salt of an account that does not exist.
const NO_SALT: &[u8] = b"no such account.";

/// The blocks of one thread. They are kept from one hash to the next.
pub(super) struct HashMemory {
    blocks: Vec<Block>,
    permit: MemoryPermit,
}

impl HashMemory {
    pub(super) fn new(memory: &MemoryLedger) -> Self {
        Self { blocks: Vec::new(), permit: memory.permit(MemoryKind::Hashing, None) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Wipes the blocks and gives their memory back.
    pub(super) fn release(&mut self) {
        self.blocks.iter_mut().for_each(Zeroize::zeroize);
        self.blocks = Vec::new();
        // Shrinking always succeeds.
        let _ = self.permit.resize(0);
    }

    fn blocks(&mut self, count: usize) -> Result<&mut [Block]> {
        let bytes = count.saturating_mul(Block::SIZE);
        if bytes > MAX_MEMORY_BYTES {
            return Err(Error::internal("a stored password needs more memory than is allowed"));
        }
        if count > self.blocks.len() {
            self.release();
            self.permit.resize(bytes)?;
            self.blocks = vec![Block::new(); count];
        }
        Ok(&mut self.blocks[..count])
    }
}

/// The PHC string of a new password.
pub(super) fn hash(password: &Secret, memory: &mut HashMemory) -> Result<Secret> {
    let salt = (&SystemEntropy as &dyn Entropy).array::<SALT_LENGTH>()?;
    let argon2 = argon2()?;
    let digest = digest::<DIGEST_LENGTH>(&argon2, password, &salt, memory)?;
    let hash = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(argon2.params()).map_err(Error::internal)?,
        salt: Some(Salt::new(&salt).map_err(Error::internal)?),
        hash: Some(Output::new(&digest).map_err(Error::internal)?),
    };
    Ok(Secret::new(hash.to_string()))
}

/// Does the work of both kinds whatever is stored, so that its time reveals neither the kind nor whether there is any.
pub(super) fn verify(password: &Secret, stored: Option<&Stored>, memory: &mut HashMemory) -> Result<bool> {
    let ours = match stored {
        Some(Stored { hash, salt: None }) => PasswordHash::new(hash.expose()).ok(),
        _ => None,
    };
    let is_ours = if let Some(hash) = ours {
        verify_phc(password, &hash, memory)?
    } else {
        digest::<DIGEST_LENGTH>(&argon2()?, password, NO_SALT, memory)?;
        false
    };
    let is_difys = if let Some(Stored { hash, salt: Some(salt) }) = stored {
        verify_dify(password, hash, salt)
    } else {
        let _ = dify_digest(password, NO_SALT);
        false
    };
    Ok(is_ours || is_difys)
}

fn argon2() -> Result<Argon2<'static>> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(|error| Error::internal(error.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn digest<const N: usize>(
    argon2: &Argon2<'_>,
    password: &Secret,
    salt: &[u8],
    memory: &mut HashMemory,
) -> Result<[u8; N]> {
    let mut out = [0; N];
    digest_into(argon2, password, salt, &mut out, memory)?;
    Ok(out)
}

fn digest_into(
    argon2: &Argon2<'_>,
    password: &Secret,
    salt: &[u8],
    out: &mut [u8],
    memory: &mut HashMemory,
) -> Result<()> {
    let blocks = memory.blocks(argon2.params().block_count())?;
    argon2
        .hash_password_into_with_memory(password.expose().as_bytes(), salt, out, blocks)
        .map_err(|error| Error::internal(error.to_string()))
}

/// Verifies with the parameters of the stored hash. One that is malformed matches no password.
fn verify_phc(password: &Secret, hash: &PasswordHash, memory: &mut HashMemory) -> Result<bool> {
    let algorithm = Algorithm::try_from(hash.algorithm.as_str());
    let version = hash.version.map_or(Ok(Version::V0x13), Version::try_from);
    let (Ok(algorithm), Ok(version), Ok(params)) = (algorithm, version, Params::try_from(hash)) else {
        return Ok(false);
    };
    let (Some(salt), Some(expected)) = (hash.salt, hash.hash) else { return Ok(false) };
    let mut out = [0; Output::MAX_LENGTH];
    let Some(out) = out.get_mut(..expected.len()) else { return Ok(false) };
    digest_into(&Argon2::new(algorithm, version, params), password, &salt, out, memory)?;
    Ok(constant_time_eq(out, expected.as_bytes()))
}

fn verify_dify(password: &Secret, hash: &Secret, salt: &Secret) -> bool {
    let (Ok(stored), Ok(salt)) = (STANDARD.decode(hash.expose()), STANDARD.decode(salt.expose())) else { return false };
    constant_time_eq(dify_digest(password, &salt).as_bytes(), &stored)
}

fn dify_digest(password: &Secret, salt: &[u8]) -> String {
    let mut digest = [0; 32];
    pbkdf2::pbkdf2_hmac::<sha2::Sha256>(password.expose().as_bytes(), salt, DIFY_ROUNDS, &mut digest);
    hex(&digest)
}

#[cfg(test)]
mod tests {
    use argon2::{PasswordHasher as _, PasswordVerifier as _};

    use super::*;

    // What Dify 1.13.3 wrote for the password `Passw0rd1`.
    const DIFY_HASH: &str = "NGQ5YzA2OWFmMjdlNmI0NGQ4YzdiZDc1MmNhNThkZGFhNWQ2MzM0YzMwYzA2YTQzNjUwMTgzNWI0ZjQ4ZGNjNw==";
    const DIFY_SALT: &str = "AfiG2C9kM3a5NJmmp0/FJw==";

    fn stored(hash: &str, salt: Option<&str>) -> Stored {
        Stored { hash: Secret::new(hash), salt: salt.map(Secret::new) }
    }

    #[test]
    fn a_row_that_dify_wrote_verifies() {
        let mut memory = HashMemory::new(&MemoryLedger::unlimited());
        let stored = stored(DIFY_HASH, Some(DIFY_SALT));
        assert!(verify(&Secret::new("Passw0rd1"), Some(&stored), &mut memory).unwrap());
        assert!(!verify(&Secret::new("passw0rd1"), Some(&stored), &mut memory).unwrap());
    }

    #[test]
    fn hashes_agree_with_those_of_the_crate_and_their_memory_is_used_again() {
        let ledger = MemoryLedger::unlimited();
        let mut memory = HashMemory::new(&ledger);
        let password = Secret::new("correct horse");
        for other in [argon2().unwrap(), Argon2::from(Params::new(64, 3, 2, Some(16)).unwrap())] {
            let theirs = other.hash_password(b"correct horse").unwrap().to_string();
            assert!(verify(&password, Some(&stored(&theirs, None)), &mut memory).unwrap(), "{theirs}");
            assert!(!verify(&Secret::new("wrong"), Some(&stored(&theirs, None)), &mut memory).unwrap());
            assert_eq!(ledger.used(MemoryKind::Hashing), MEMORY_BYTES);
        }
        let ours = hash(&password, &mut memory).unwrap();
        assert!(Argon2::default().verify_password(b"correct horse", ours.expose()).is_ok());
        memory.release();
        assert_eq!(ledger.used(MemoryKind::Hashing), 0);
    }

    #[test]
    fn malformed_and_oversized_hashes_match_nothing() {
        let mut memory = HashMemory::new(&MemoryLedger::unlimited());
        for hash in
            ["", "$argon2id$", "$scrypt$ln=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNo", "$argon2id$v=19$m=19456,t=2,p=1"]
        {
            assert!(!verify(&Secret::new("x"), Some(&stored(hash, None)), &mut memory).unwrap(), "{hash}");
        }
        let large = "$argon2id$v=19$m=4194304,t=1,p=1$c2FsdHNhbHRzYWx0$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        assert!(verify(&Secret::new("x"), Some(&stored(large, None)), &mut memory).is_err());
    }
}
