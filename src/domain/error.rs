//! The product's error: a code of the contract, a public message and hint, and the cause for the log.
//!
//! `http::status` assigns HTTP statuses, `rpc::status` gRPC codes.

use std::{borrow::Cow, error::Error as StdError, fmt, time::Duration};

/// `Result` with the product's error.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $wire:literal,)*) => {
        /// Reason codes on the wire (contract section 5).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            pub const ALL: &[Code] = &[$(Code::$name,)*];

            pub const fn as_str(self) -> &'static str {
                match self { $(Code::$name => $wire,)* }
            }
        }
    };
}

codes! {
    /// The body does not have the method's form.
    InvalidRequest = "invalid_request",
    /// A user code with a character outside the alphabet or of the wrong length.
    InvalidUserCode = "invalid_user_code",
    /// A scope or subject that this deployment does not mint.
    MintPolicyViolation = "mint_policy_violation",
    /// An assertion or a callback of single sign-on that is not valid.
    InvalidSsoAssertion = "invalid_sso_assertion",
    /// The code in the body is not the one of the approval's cookie.
    UserCodeMismatch = "user_code_mismatch",
    /// A provider without an OAuth client in this workspace.
    OauthClientMissing = "oauth_client_missing",
    /// The app has no published definition, or a node type that cannot be run.
    AppUnavailable = "app_unavailable",
    /// An upload without a part `file`.
    NoFileUploaded = "no_file_uploaded",
    /// An upload with several files.
    TooManyFiles = "too_many_files",
    /// A file without a name.
    FilenameNotExists = "filename_not_exists",
    /// A file whose extension the deployment does not accept.
    FileExtensionBlocked = "file_extension_blocked",
    /// A bearer route without a usable `Authorization`.
    BearerMissing = "bearer_missing",
    /// An unknown, revoked or malformed bearer, or one of an inactive account.
    BearerInvalid = "bearer_invalid",
    /// An expired session.
    BearerExpired = "bearer_expired",
    /// A bearer with an unknown prefix.
    UnknownTokenPrefix = "unknown_token_prefix",
    /// An app key, which is for Dify's service API.
    InvalidPrefix = "invalid_prefix",
    /// A browser route without a session.
    NoSession = "no_session",
    /// A browser session that is not valid.
    InvalidSession = "invalid_session",
    /// The cookie of an approval was used before.
    SessionAlreadyConsumed = "session_already_consumed",
    /// Wrong email or password.
    AuthenticationFailed = "authentication_failed",
    /// `INIT_PASSWORD` was not presented before the setup.
    NotInitValidated = "not_init_validated",
    /// Wrong `INIT_PASSWORD`.
    InitValidateFailed = "init_validate_failed",
    /// The first administrator exists.
    AlreadySetup = "already_setup",
    /// The subject belongs on the other surface.
    WrongSurface = "wrong_surface",
    /// The token lacks the method's scope.
    InsufficientScope = "insufficient_scope",
    /// The enterprise license is missing or has expired.
    LicenseRequired = "license_required",
    /// The caller named a workspace and is not a member of it.
    WorkspaceMembershipRevoked = "workspace_membership_revoked",
    /// The app's access mode excludes this account.
    AppAccessDenied = "app_access_denied",
    /// An external identity with the email address of an active account.
    EmailBelongsToDifyAccount = "email_belongs_to_dify_account",
    /// The role of the caller does not allow this.
    Forbidden = "forbidden",
    /// A browser request without proof that it comes from the service's own pages.
    CsrfMismatch = "csrf_mismatch",
    /// The object does not exist, or the caller may not know of it.
    NotFound = "not_found",
    /// No identity provider is configured.
    SsoNotConfigured = "sso_not_configured",
    /// A known path with another HTTP method.
    MethodNotAllowed = "method_not_allowed",
    /// The grant is approved or denied already.
    AlreadyResolved = "already_resolved",
    /// Another approval of the grant is in progress.
    ApproveInProgress = "approve_in_progress",
    /// The code of a sign-in is decided or has expired.
    UserCodeNotPending = "user_code_not_pending",
    /// An operator created something that exists.
    AlreadyExists = "already_exists",
    /// The object was changed at the same time.
    Conflict = "conflict",
    /// A connection whose owner has to authorize it again.
    ReauthorizationRequired = "reauthorization_required",
    /// Several apps of the workspace have the requested name.
    AmbiguousAppName = "ambiguous_app_name",
    /// A request that fails because the client's catalog is not the server's.
    CatalogStale = "catalog_stale",
    /// A body over the limit.
    RequestEntityTooLarge = "request_entity_too_large",
    /// A file over the limit of its type.
    FileTooLarge = "file_too_large",
    /// A file whose contents are not what its extension promises.
    UnsupportedFileType = "unsupported_file_type",
    /// A body of a media type that the method does not accept.
    UnsupportedMediaType = "unsupported_media_type",
    /// A parameter that is out of range.
    InvalidParam = "invalid_param",
    /// The request has to name a workspace.
    WorkspaceIdRequired = "workspace_id_required",
    /// A run of a chat app without a query.
    QueryRequiredForChat = "query_required_for_chat",
    /// A run of a workflow with a query.
    QueryNotSupportedForWorkflow = "query_not_supported_for_workflow",
    /// An app whose mode cannot be run.
    ModeNotRunnable = "mode_not_runnable",
    /// An app with another mode than the one that the request names.
    AppModeMismatch = "app_mode_mismatch",
    /// A form of a run that was submitted before.
    HumanInputFormSubmitted = "human_input_form_submitted",
    /// A form of a run whose time has passed.
    HumanInputFormExpired = "human_input_form_expired",
    /// An input that the app requires is missing.
    InputRequired = "input_required",
    /// A host name that this server does not serve.
    MisdirectedRequest = "misdirected_request",
    /// A rate limit is exceeded.
    RateLimited = "rate_limited",
    /// An internal error; the log has the cause.
    InternalServerError = "internal_server_error",
    /// A stored state that breaks an invariant.
    InternalStateInvariant = "internal_state_invariant",
    /// An upstream server failed or sent an invalid response.
    UpstreamError = "upstream_error",
    /// An upstream server exceeded the time limit.
    UpstreamTimeout = "upstream_timeout",
    /// Bearer authentication is switched off.
    BearerAuthDisabled = "bearer_auth_disabled",
    /// No free user code was found.
    UserCodeExhausted = "user_code_exhausted",
    /// The list of permitted apps cannot be read from the enterprise service.
    PermittedExternalAppsUnavailable = "permitted_external_apps_unavailable",
    /// A store does not answer.
    ServiceUnavailable = "service_unavailable",
    /// The caller's deadline, or the server's limit for a call, has passed.
    DeadlineExceeded = "deadline_exceeded",
    /// The method exists over JSON only, or over gRPC only.
    Unimplemented = "unimplemented",
    /// The deployment cannot do this: beside Dify, Dify itself has to.
    NotSupportedHere = "not_supported_here",
    /// RFC 8628: not decided yet.
    AuthorizationPending = "authorization_pending",
    /// RFC 8628: polled too early.
    SlowDown = "slow_down",
    /// RFC 8628: unknown, expired or redeemed.
    ExpiredToken = "expired_token",
    /// RFC 8628: denied.
    AccessDenied = "access_denied",
    /// RFC 6749: the code belongs to another client.
    InvalidGrant = "invalid_grant",
    /// RFC 6749: a grant type that the endpoint does not support.
    UnsupportedGrantType = "unsupported_grant_type",
    /// Dify's name for RFC 6749's `invalid_client`.
    UnsupportedClient = "unsupported_client",
}

/// The kind of a detail about a member that the method does not know.
pub(crate) const UNKNOWN_MEMBER: &str = "extra_forbidden";

/// One problem of a request, in the form of `details` on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detail {
    /// A kind such as `missing` or `int_parsing`.
    pub kind: &'static str,
    /// `query`, `body` or `path`, then the member.
    pub loc: Vec<String>,
    pub msg: String,
}

#[derive(Debug)]
struct ErrorFields {
    code: Code,
    message: Cow<'static, str>,
    hint: Option<Cow<'static, str>>,
    retry_after: Option<Duration>,
    interval: Option<u32>,
    required_scope: Option<&'static str>,
    details: Vec<Detail>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// An error with everything that its response and its log line need.
pub struct Error(Box<ErrorFields>);

impl Error {
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(ErrorFields {
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

    /// An internal error. The response has no details; the log has `cause`.
    pub fn internal(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Code::InternalServerError, "Something went wrong on our side.").with_source(cause)
    }

    /// A store does not answer. The caller may retry in a few seconds.
    pub fn unavailable(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Code::ServiceUnavailable, "The service is temporarily unavailable. Try again shortly.")
            .with_retry_after(Duration::from_secs(5))
            .with_source(cause)
    }

    /// The object does not exist, or the caller may not know of it.
    pub fn not_found(what: &'static str) -> Self {
        Self::new(Code::NotFound, what)
    }

    /// A parameter that is out of range (422).
    pub fn invalid_param(loc: &str, member: &str, msg: impl Into<String>) -> Self {
        let msg = msg.into();
        Self::new(Code::InvalidParam, format!("{member}: {msg}")).with_detail(Detail {
            kind: "value_error",
            loc: vec![loc.to_owned(), member.to_owned()],
            msg,
        })
    }

    /// A required body member that is missing or empty (400).
    pub fn missing(member: &'static str) -> Self {
        Self::missing_in("body", member)
    }

    /// The same for a member of another place, such as `query` (400).
    pub fn missing_in(place: &'static str, member: &'static str) -> Self {
        Self::new(Code::InvalidRequest, format!("{member} is required.")).with_detail(Detail {
            kind: "missing",
            loc: vec![place.to_owned(), member.to_owned()],
            msg: "Field required".to_owned(),
        })
    }

    /// A rate limit is exceeded.
    pub fn rate_limited(retry_after: Duration) -> Self {
        Self::new(Code::RateLimited, "Too many requests. Wait a moment and try again.").with_retry_after(retry_after)
    }

    /// Adds the step that resolves the error.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds the time after which the caller may retry.
    #[must_use]
    pub fn with_retry_after(mut self, after: Duration) -> Self {
        self.0.retry_after = Some(after);
        self
    }

    /// Adds the current polling interval, in seconds (RFC 8628 section 3.5).
    #[must_use]
    pub fn with_interval(mut self, seconds: u32) -> Self {
        self.0.interval = Some(seconds);
        self
    }

    /// Adds the missing scope.
    #[must_use]
    pub fn with_required_scope(mut self, scope: &'static str) -> Self {
        self.0.required_scope = Some(scope);
        self
    }

    #[must_use]
    pub fn with_detail(mut self, detail: Detail) -> Self {
        self.0.details.push(detail);
        self
    }

    /// Adds another fault of the same request. Code and hint stay those of this one.
    #[must_use]
    pub(super) fn and(mut self, other: Self) -> Self {
        self.0.message = format!("{}; {}", self.0.message, other.0.message).into();
        self.0.details.extend(other.0.details);
        self
    }

    /// Adds the cause. It is logged and not sent.
    #[must_use]
    pub fn with_source(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(cause.into());
        self
    }

    pub fn code(&self) -> Code {
        self.0.code
    }

    pub fn message(&self) -> &str {
        &self.0.message
    }

    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The current polling interval, in seconds.
    pub fn interval(&self) -> Option<u32> {
        self.0.interval
    }

    pub fn required_scope(&self) -> Option<&'static str> {
        self.0.required_scope
    }

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
