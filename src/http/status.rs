//! Domain error → HTTP status. The only place that assigns them (contract section 5).

use http::StatusCode;

use crate::{domain::Code, rpc::reply::ReplyStatus};

pub(crate) const fn http_status(code: Code) -> StatusCode {
    match code {
        Code::InvalidRequest
        | Code::InvalidUserCode
        | Code::MintPolicyViolation
        | Code::InvalidSsoAssertion
        | Code::UserCodeMismatch
        | Code::OauthClientMissing
        | Code::AppUnavailable
        | Code::NoFileUploaded
        | Code::TooManyFiles
        | Code::FilenameNotExists
        | Code::FileExtensionBlocked
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
        | Code::AuthenticationFailed
        | Code::NotInitValidated
        | Code::InitValidateFailed => StatusCode::UNAUTHORIZED,
        Code::WrongSurface
        | Code::InsufficientScope
        | Code::LicenseRequired
        | Code::WorkspaceMembershipRevoked
        | Code::AppAccessDenied
        | Code::EmailBelongsToDifyAccount
        | Code::Forbidden
        | Code::CsrfMismatch
        | Code::AlreadySetup => StatusCode::FORBIDDEN,
        Code::NotFound | Code::SsoNotConfigured | Code::Unimplemented => StatusCode::NOT_FOUND,
        Code::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Code::AlreadyResolved
        | Code::ApproveInProgress
        | Code::UserCodeNotPending
        | Code::AlreadyExists
        | Code::Conflict
        | Code::ReauthorizationRequired
        | Code::AmbiguousAppName => StatusCode::CONFLICT,
        Code::CatalogStale | Code::HumanInputFormSubmitted | Code::HumanInputFormExpired => {
            StatusCode::PRECONDITION_FAILED
        }
        Code::RequestEntityTooLarge | Code::FileTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::UnsupportedMediaType | Code::UnsupportedFileType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Code::MisdirectedRequest => StatusCode::MISDIRECTED_REQUEST,
        Code::InvalidParam
        | Code::WorkspaceIdRequired
        | Code::QueryRequiredForChat
        | Code::QueryNotSupportedForWorkflow
        | Code::ModeNotRunnable
        | Code::AppModeMismatch
        | Code::InputRequired => StatusCode::UNPROCESSABLE_ENTITY,
        Code::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        Code::InternalServerError | Code::InternalStateInvariant => StatusCode::INTERNAL_SERVER_ERROR,
        Code::BearerAuthDisabled
        | Code::UserCodeExhausted
        | Code::PermittedExternalAppsUnavailable
        | Code::ServiceUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::NotSupportedHere => StatusCode::NOT_IMPLEMENTED,
        Code::UpstreamError => StatusCode::BAD_GATEWAY,
        Code::DeadlineExceeded | Code::UpstreamTimeout => StatusCode::GATEWAY_TIMEOUT,
    }
}

/// The status of a response that is no error envelope.
pub(crate) const fn reply_status(status: ReplyStatus) -> StatusCode {
    match status {
        ReplyStatus::Created => StatusCode::CREATED,
        ReplyStatus::Deleted => StatusCode::NO_CONTENT,
        ReplyStatus::Accepted => StatusCode::ACCEPTED,
        ReplyStatus::Rejected => StatusCode::BAD_REQUEST,
    }
}
