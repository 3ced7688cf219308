//! The policy table: who may call which method, how often, over which door. Generated from the protos.

use crate::domain::{limit::LimitName, scope::Scope, subject::SubjectType};

/// The one kind of proof a method accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Credential {
    /// Anyone.
    Public,
    /// A bearer token.
    Bearer,
    /// The console's cookies, with the CSRF token on unsafe verbs.
    ConsoleSession,
    /// The cookie of a single-sign-on approval, with its CSRF token.
    ApprovalGrant,
    /// The shared key of internal services.
    Service,
}

/// Where a method exists. Where it does not, it is as if it had never been written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Everywhere.
    Everywhere,
    /// Enterprise edition only.
    Enterprise,
    /// Standalone only.
    Standalone,
}

/// The shape of a method's errors on the JSON door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorShape {
    /// Code, message, hint, status.
    Envelope,
    /// OAuth's error and description, with the envelope beside it where the failure is not the protocol's.
    OAuth,
}

/// A method's JSON form.
#[derive(Clone, Copy, Debug)]
pub struct HttpRoute {
    /// The verb.
    pub verb: &'static str,
    /// The path template.
    pub path: &'static str,
}

/// What the contract says of a method beyond its messages.
#[expect(clippy::struct_excessive_bools, reason = "a row of independent yes-or-no columns")]
#[derive(Debug)]
pub struct Policy {
    /// `IdentityService.GetAccount`; pages have names of their own.
    pub method: &'static str,
    /// `/dify.openapi.v1.IdentityService/GetAccount`; empty for pages.
    pub grpc_path: &'static str,
    /// Its JSON form, if it has one.
    pub http: Option<HttpRoute>,
    /// The proof it accepts.
    pub credential: Credential,
    /// The subjects a bearer may speak for.
    pub subjects: &'static [SubjectType],
    /// The scope a bearer needs.
    pub scope: Option<Scope>,
    /// Where it exists.
    pub presence: Presence,
    /// Needs a license.
    pub license: bool,
    /// Limits charged before the body is read, beside the per-token limit of every bearer.
    pub limits: &'static [LimitName],
    /// Looks at the console session of a public caller, if there is one.
    pub session: bool,
    /// Not served over gRPC.
    pub json_only: bool,
    /// The body may also be a form.
    pub form: bool,
    /// Answers with a stream of events.
    pub streams: bool,
    /// The largest body, in bytes.
    pub max_body: usize,
    /// How errors look on the JSON door.
    pub errors: ErrorShape,
}

include!(concat!(env!("OUT_DIR"), "/policies.rs"));

impl Policy {
    /// The method behind a gRPC path.
    pub fn of_grpc_path(path: &str) -> Option<&'static Self> {
        POLICIES.iter().find(|policy| policy.grpc_path == path)
    }

    /// Whether it is a page for people: those are on no other door.
    pub const fn is_page(&self) -> bool {
        self.grpc_path.is_empty()
    }

    /// Whether calling it without a credential must say how to authenticate (RFC 6750 section 3).
    pub fn challenges(&self) -> bool {
        self.credential == Credential::Bearer
    }
}
