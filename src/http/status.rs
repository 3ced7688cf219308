//! Domain error → HTTP status. The only place that assigns them (contract section 5).

use http::StatusCode;

use crate::domain::Code;

pub(crate) const fn http_status(code: Code) -> StatusCode {
    match code {
        Code::InvalidRequest
        | Code::InvalidUserCode
        | Code::MintPolicyViolation
        | Code::InvalidSsoAssertion
        | Code::UserCodeMismatch
        | Code::AppUnavailable
        | Code::AuthorizationPending
        | Code::SlowDown
        | Code::ExpiredToken
        | Code::AccessDenied
        | Code::InvalidGrant
        | Code::UnsupportedGrantType
        | Code::UnsupportedClient => StatusCode::BAD_REQUEST,
        Code::BearerMissing
        | Code::BearerInvalid
        | Code::BearerExpired
        | Code::UnknownTokenPrefix
        | Code::InvalidPrefix
        | Code::NoSession
        | Code::InvalidSession
        | Code::SessionAlreadyConsumed
        | Code::AuthenticationFailed => StatusCode::UNAUTHORIZED,
        Code::WrongSurface
        | Code::InsufficientScope
        | Code::LicenseRequired
        | Code::WorkspaceMembershipRevoked
        | Code::AppAccessDenied
        | Code::EmailBelongsToDifyAccount
        | Code::CsrfMismatch => StatusCode::FORBIDDEN,
        Code::NotFound | Code::SsoNotConfigured | Code::Unimplemented => StatusCode::NOT_FOUND,
        Code::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Code::AlreadyResolved
        | Code::ApproveInProgress
        | Code::UserCodeNotPending
        | Code::AlreadyExists
        | Code::AmbiguousAppName => StatusCode::CONFLICT,
        Code::RequestEntityTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Code::MisdirectedRequest => StatusCode::MISDIRECTED_REQUEST,
        Code::InvalidParam
        | Code::WorkspaceIdRequired
        | Code::QueryRequiredForChat
        | Code::QueryNotSupportedForWorkflow
        | Code::ModeNotRunnable
        | Code::InputRequired => StatusCode::UNPROCESSABLE_ENTITY,
        Code::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        Code::InternalServerError | Code::InternalStateInvariant => StatusCode::INTERNAL_SERVER_ERROR,
        Code::BearerAuthDisabled
        | Code::UserCodeExhausted
        | Code::PermittedExternalAppsUnavailable
        | Code::ServiceUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::UpstreamError => StatusCode::BAD_GATEWAY,
        Code::DeadlineExceeded | Code::UpstreamTimeout => StatusCode::GATEWAY_TIMEOUT,
    }
}
