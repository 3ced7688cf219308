//! Scopes of tokens. They follow from the subject type on every request and are not stored (contract section 3).

use super::{
    error::{Code, Error, Result},
    subject::SubjectType,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Everything within the account surface.
    Full,
    /// List and describe apps.
    AppsRead,
    /// Run apps.
    AppsRun,
    /// Read a workspace and its members, and make it the current one.
    WorkspaceRead,
    /// Change the members and the apps of a workspace.
    WorkspaceWrite,
    /// List and describe the apps an external identity may see.
    AppsReadPermittedExternal,
}

impl Scope {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::AppsRead => "apps:read",
            Self::AppsRun => "apps:run",
            Self::WorkspaceRead => "workspace:read",
            Self::WorkspaceWrite => "workspace:write",
            Self::AppsReadPermittedExternal => "apps:read:permitted-external",
        }
    }
}

/// The scopes of tokens of a subject type.
pub(crate) const fn scopes_of(subject_type: SubjectType) -> &'static [Scope] {
    match subject_type {
        SubjectType::Account => &[Scope::Full],
        SubjectType::ExternalSso => &[Scope::AppsRun, Scope::AppsReadPermittedExternal],
    }
}

/// The same scopes, separated by spaces (RFC 6749 section 3.3).
pub(crate) const fn scope_string(subject_type: SubjectType) -> &'static str {
    match subject_type {
        SubjectType::Account => "full",
        SubjectType::ExternalSso => "apps:run apps:read:permitted-external",
    }
}

/// Whether a subject type's token satisfies `required`; `full` satisfies every scope of its surface.
pub(crate) fn satisfies(subject_type: SubjectType, required: Scope) -> bool {
    scopes_of(subject_type).iter().any(|held| *held == Scope::Full || *held == required)
}

/// Checks that a token of this type may be issued with these scopes, and that this edition issues such tokens. Fails
/// with `mint_policy_violation`.
pub(crate) fn check_mint(subject_type: SubjectType, scopes: &[Scope], enterprise: bool) -> Result<()> {
    let allowed = match subject_type {
        SubjectType::Account => {
            !scopes.is_empty() && scopes.iter().all(|scope| *scope != Scope::AppsReadPermittedExternal)
        }
        SubjectType::ExternalSso => {
            enterprise
                && scopes.len() == 2
                && scopes.contains(&Scope::AppsRun)
                && scopes.contains(&Scope::AppsReadPermittedExternal)
        }
    };
    if allowed {
        Ok(())
    } else {
        Err(Error::new(Code::MintPolicyViolation, "These scopes cannot be granted to this kind of subject."))
    }
}
