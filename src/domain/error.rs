//! The one error of the product: a code from the contract, a public message and hint, and the cause for the log.
//!
//! HTTP statuses are assigned in `http::status`, gRPC codes in `rpc::status`; neither is known here.

use std::{borrow::Cow, error::Error as StdError, fmt, time::Duration};

/// `Result` with the product's error.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $wire:literal,)*) => {
        /// Reason codes, as they stand on the wire (contract section 5).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code there is, for tables that must be complete.
            pub const ALL: &[Code] = &[$(Code::$name,)*];

            /// The code's wire form.
            pub const fn as_str(self) -> &'static str {
                match self { $(Code::$name => $wire,)* }
            }
        }
    };
}

codes! {
    /// The body is not what the method takes.
    InvalidRequest = "invalid_request",
    /// A user code with a character outside the alphabet or of the wrong length.
    InvalidUserCode = "invalid_user_code",
    /// A scope or subject this deployment never mints.
    MintPolicyViolation = "mint_policy_violation",
    /// The app has nothing published, or needs a node type that is not run here.
    AppUnavailable = "app_unavailable",
    /// A bearer route without a usable `Authorization`.
    BearerMissing = "bearer_missing",
    /// Unknown, revoked, malformed, or of an account that is no longer active.
    BearerInvalid = "bearer_invalid",
    /// A session past its end.
    BearerExpired = "bearer_expired",
    /// A bearer with a prefix that is not ours.
    UnknownTokenPrefix = "unknown_token_prefix",
    /// An app key, which belongs to another API.
    InvalidPrefix = "invalid_prefix",
    /// A browser route without a session.
    NoSession = "no_session",
    /// A browser session that is not valid.
    InvalidSession = "invalid_session",
    /// Wrong email or password.
    AuthenticationFailed = "authentication_failed",
    /// The subject belongs on the other surface.
    WrongSurface = "wrong_surface",
    /// The token lacks the method's scope.
    InsufficientScope = "insufficient_scope",
    /// The enterprise license is absent or over.
    LicenseRequired = "license_required",
    /// The caller named a workspace they are not in.
    WorkspaceMembershipRevoked = "workspace_membership_revoked",
    /// The app's access mode does not let this account in.
    AppAccessDenied = "app_access_denied",
    /// A browser request that did not prove it came from our pages.
    CsrfMismatch = "csrf_mismatch",
    /// No such thing, or none that the caller may know of.
    NotFound = "not_found",
    /// A known path with another verb.
    MethodNotAllowed = "method_not_allowed",
    /// The grant is decided.
    AlreadyResolved = "already_resolved",
    /// Another approval of the grant is under way.
    ApproveInProgress = "approve_in_progress",
    /// Several apps of the workspace have the name that was asked for.
    AmbiguousAppName = "ambiguous_app_name",
    /// A body over the limit.
    RequestEntityTooLarge = "request_entity_too_large",
    /// A body of a type the method does not read.
    UnsupportedMediaType = "unsupported_media_type",
    /// Understood, but out of range.
    InvalidParam = "invalid_param",
    /// The workspace has to be named here.
    WorkspaceIdRequired = "workspace_id_required",
    /// A chat app was run without a query.
    QueryRequiredForChat = "query_required_for_chat",
    /// A workflow was run with a query.
    QueryNotSupportedForWorkflow = "query_not_supported_for_workflow",
    /// An app of a mode that has no run.
    ModeNotRunnable = "mode_not_runnable",
    /// An input that the app requires is missing.
    InputRequired = "input_required",
    /// A host name this server does not answer to.
    MisdirectedRequest = "misdirected_request",
    /// Too often.
    RateLimited = "rate_limited",
    /// Something broke; the log knows.
    InternalServerError = "internal_server_error",
    /// A stored state that cannot be.
    InternalStateInvariant = "internal_state_invariant",
    /// The server behind this one failed, or said what cannot be understood.
    UpstreamError = "upstream_error",
    /// The server behind this one took too long.
    UpstreamTimeout = "upstream_timeout",
    /// Bearers are switched off.
    BearerAuthDisabled = "bearer_auth_disabled",
    /// No free user code was found.
    UserCodeExhausted = "user_code_exhausted",
    /// A store is down.
    ServiceUnavailable = "service_unavailable",
    /// The caller's deadline passed, or ours for a call that never ends.
    DeadlineExceeded = "deadline_exceeded",
    /// The method exists on the other door only.
    Unimplemented = "unimplemented",
    /// RFC 8628: not decided yet.
    AuthorizationPending = "authorization_pending",
    /// RFC 8628: polled too early.
    SlowDown = "slow_down",
    /// RFC 8628: unknown, over or already redeemed.
    ExpiredToken = "expired_token",
    /// RFC 8628: denied.
    AccessDenied = "access_denied",
    /// RFC 6749: another client's code.
    InvalidGrant = "invalid_grant",
    /// RFC 6749: a grant type this endpoint does not serve.
    UnsupportedGrantType = "unsupported_grant_type",
    /// Dify's word for RFC 6749's `invalid_client`.
    UnsupportedClient = "unsupported_client",
}

/// One thing wrong with a request, in the shape of the wire's `details`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detail {
    /// Kind of fault, such as `missing` or `int_parsing`.
    pub kind: &'static str,
    /// Where: `query` or `body`, then the member.
    pub loc: Vec<String>,
    /// What is wrong, in words.
    pub msg: String,
}

#[derive(Debug)]
struct Inner {
    code: Code,
    message: Cow<'static, str>,
    hint: Option<Cow<'static, str>>,
    retry_after: Option<Duration>,
    interval: Option<u32>,
    required_scope: Option<&'static str>,
    details: Vec<Detail>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// A failure with everything either door needs to tell its caller, and the cause for the log.
pub struct Error(Box<Inner>);

impl Error {
    /// A failure with its public message.
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            code,
            message: message.into(),
            hint: None,
            retry_after: None,
            interval: None,
            required_scope: None,
            details: Vec::new(),
            source: None,
        }))
    }

    /// Something broke inside; the caller learns nothing, the log gets `cause`.
    pub fn internal(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Code::InternalServerError, "Something went wrong on our side.").with_source(cause)
    }

    /// A store does not answer; the caller may try again soon.
    pub fn unavailable(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Code::ServiceUnavailable, "The service is temporarily unavailable. Try again shortly.")
            .with_retry_after(Duration::from_secs(5))
            .with_source(cause)
    }

    /// No such thing, or none the caller may know of.
    pub fn not_found(what: &'static str) -> Self {
        Self::new(Code::NotFound, what)
    }

    /// A member that is understood but out of range (422).
    pub fn invalid_param(loc: &str, member: &str, msg: impl Into<String>) -> Self {
        let msg = msg.into();
        Self::new(Code::InvalidParam, format!("{member}: {msg}")).with_detail(Detail {
            kind: "value_error",
            loc: vec![loc.to_owned(), member.to_owned()],
            msg,
        })
    }

    /// A required body member that is absent or empty (400).
    pub fn missing(member: &'static str) -> Self {
        Self::new(Code::InvalidRequest, format!("{member} is required.")).with_detail(Detail {
            kind: "missing",
            loc: vec!["body".to_owned(), member.to_owned()],
            msg: "Field required".to_owned(),
        })
    }

    /// Too often; `retry_after` says when again.
    pub fn rate_limited(retry_after: Duration) -> Self {
        Self::new(Code::RateLimited, "Too many requests. Wait a moment and try again.").with_retry_after(retry_after)
    }

    /// Adds what a person can do next.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds when to try again.
    #[must_use]
    pub fn with_retry_after(mut self, after: Duration) -> Self {
        self.0.retry_after = Some(after);
        self
    }

    /// Adds the polling interval now in force, in seconds (RFC 8628 section 3.5).
    #[must_use]
    pub fn with_interval(mut self, seconds: u32) -> Self {
        self.0.interval = Some(seconds);
        self
    }

    /// Adds the scope that was missing.
    #[must_use]
    pub fn with_required_scope(mut self, scope: &'static str) -> Self {
        self.0.required_scope = Some(scope);
        self
    }

    /// Adds one thing that is wrong with the request.
    #[must_use]
    pub fn with_detail(mut self, detail: Detail) -> Self {
        self.0.details.push(detail);
        self
    }

    /// Adds the cause, for the log only.
    #[must_use]
    pub fn with_source(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(cause.into());
        self
    }

    /// The reason code.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The public message.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What a person can do next.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// When to try again.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The polling interval now in force, in seconds.
    pub fn interval(&self) -> Option<u32> {
        self.0.interval
    }

    /// The scope that was missing.
    pub fn required_scope(&self) -> Option<&'static str> {
        self.0.required_scope
    }

    /// What is wrong with the request, thing by thing.
    pub fn details(&self) -> &[Detail] {
        &self.0.details
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code.as_str(), self.0.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|cause| cause as &(dyn StdError + 'static))
    }
}
