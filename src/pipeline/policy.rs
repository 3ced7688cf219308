//! The policy table, generated from the protos: for each method the credential, limits and doors. A method has a policy
//! for each of its paths.

use crate::domain::{limit::LimitName, scope::Scope, subject::SubjectType};

/// The kind of credential that a method accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Credential {
    Public,
    Bearer,
    /// The console's cookies, with the CSRF token for unsafe methods.
    ConsoleSession,
    /// The cookie of a single-sign-on approval, with its CSRF token.
    ApprovalGrant,
    /// The shared key of internal services.
    Service,
}

/// The deployments in which a method exists. In others it is absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    Everywhere,
    Enterprise,
    Standalone,
    /// Standalone, and beside Dify with `ENABLE_CONNECTIONS`.
    Connections,
}

/// The format of a method's errors on the JSON door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorShape {
    /// Code, message, hint, status.
    Envelope,
    /// The envelope, and `error`, which repeats its code.
    Console,
    /// OAuth's error and description; together with the envelope for errors that OAuth does not define.
    OAuth,
    /// Only `error`, as Dify Enterprise reads it.
    Inner,
}

/// A method's JSON form.
#[derive(Clone, Copy, Debug)]
pub struct HttpRoute {
    pub verb: &'static str,
    /// A template such as `/openapi/v1/apps/{id}/describe`, possibly with a custom verb: `/openapi/v1/apps/{id}:run`.
    pub path: &'static str,
    /// Members of the message whose values the path fixes.
    pub fixed: &'static [(&'static str, &'static str)],
}

#[expect(clippy::struct_excessive_bools, reason = "a row of independent yes-or-no columns")]
#[derive(Debug)]
pub struct Policy {
    /// Such as `IdentityService.GetAccount`; pages have other names.
    pub method: &'static str,
    /// Such as `/dify.openapi.v1.IdentityService/GetAccount`; empty for pages.
    pub grpc_path: &'static str,
    pub http: Option<HttpRoute>,
    pub credential: Credential,
    /// The accepted subject types of a bearer token.
    pub subjects: &'static [SubjectType],
    /// The required scope of a bearer token.
    pub scope: Option<Scope>,
    pub presence: Presence,
    /// Whether a license is required.
    pub license: bool,
    /// Whether a license is required from external identities.
    pub external_license: bool,
    /// Limits that are charged before the body is read, besides the per-token limit.
    pub limits: &'static [LimitName],
    /// Whether a public method also reads the console session, if there is one.
    pub session: bool,
    pub json_only: bool,
    /// Whether a method for a console session also accepts the cookie of an approval.
    pub approval_grant: bool,
    /// Whether success is a redirect, because browsers navigate to the method.
    pub redirects: bool,
    /// Whether the body may be a form.
    pub form: bool,
    /// Whether the response is a stream of events.
    pub streams: bool,
    /// Whether it is one on this path whatever the request prefers.
    pub always_streams: bool,
    /// Whether the request is a stream over gRPC and a multipart form over JSON.
    pub uploads: bool,
    /// Limit of the body, in bytes; of one message of an upload.
    pub max_body: usize,
    /// Numbers of the fields that hold a `google.protobuf.Struct`.
    pub struct_fields: &'static [u32],
    pub errors: ErrorShape,
}

include!(concat!(env!("OUT_DIR"), "/policies.rs"));

impl Policy {
    /// The policy of a gRPC path.
    pub fn of_grpc_path(path: &str) -> Option<&'static Self> {
        POLICIES.iter().find(|policy| policy.grpc_path == path)
    }

    /// The policies of all methods on all their paths.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        POLICIES.iter().chain(OTHER_PATHS)
    }

    /// Whether this is a page. Pages are not served over gRPC.
    pub const fn is_page(&self) -> bool {
        self.grpc_path.is_empty()
    }

    /// Whether errors have a `WWW-Authenticate` challenge (RFC 6750 section 3).
    pub fn challenges(&self) -> bool {
        self.credential == Credential::Bearer
    }
}
