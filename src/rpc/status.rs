//! Domain error → `tonic::Status` with `ErrorInfo` (contract section 12). The only place that assigns gRPC codes.

use std::{collections::HashMap, sync::Arc};

use tonic::{Code as Grpc, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt as _};

use super::error_hint;
use crate::{
    domain::{Code, Error},
    telemetry::failure,
};

/// The `ErrorInfo` domain of every error.
pub const DOMAIN: &str = "openapi.dify";

pub(crate) const fn grpc_code(code: Code) -> Grpc {
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
        | Code::UnsupportedFileType
        | Code::WorkspaceIdRequired
        | Code::QueryRequiredForChat
        | Code::QueryNotSupportedForWorkflow
        | Code::ModeNotRunnable
        | Code::AppModeMismatch
        | Code::InputRequired
        | Code::InvalidParam
        | Code::MisdirectedRequest
        | Code::UnsupportedMediaType
        | Code::UnsupportedGrantType
        | Code::UnsupportedClient
        | Code::InvalidGrant => Grpc::InvalidArgument,
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
        | Code::InitValidateFailed => Grpc::Unauthenticated,
        Code::WrongSurface
        | Code::InsufficientScope
        | Code::LicenseRequired
        | Code::WorkspaceMembershipRevoked
        | Code::AppAccessDenied
        | Code::EmailBelongsToDifyAccount
        | Code::Forbidden
        | Code::CsrfMismatch
        | Code::AlreadySetup
        | Code::AccessDenied => Grpc::PermissionDenied,
        Code::NotFound | Code::SsoNotConfigured | Code::ExpiredToken => Grpc::NotFound,
        Code::MethodNotAllowed | Code::Unimplemented | Code::NotSupportedHere => Grpc::Unimplemented,
        Code::AlreadyResolved
        | Code::UserCodeNotPending
        | Code::AmbiguousAppName
        | Code::HumanInputFormSubmitted
        | Code::HumanInputFormExpired
        | Code::AuthorizationPending
        | Code::CatalogStale
        | Code::ReauthorizationRequired => Grpc::FailedPrecondition,
        Code::AlreadyExists => Grpc::AlreadyExists,
        Code::ApproveInProgress | Code::Conflict => Grpc::Aborted,
        Code::RequestEntityTooLarge | Code::FileTooLarge | Code::RateLimited | Code::SlowDown => {
            Grpc::ResourceExhausted
        }
        Code::InternalServerError | Code::InternalStateInvariant => Grpc::Internal,
        Code::DeadlineExceeded | Code::UpstreamTimeout => Grpc::DeadlineExceeded,
        Code::UpstreamError
        | Code::BearerAuthDisabled
        | Code::UserCodeExhausted
        | Code::PermittedExternalAppsUnavailable
        | Code::ServiceUnavailable => Grpc::Unavailable,
    }
}

impl From<Error> for Status {
    /// Keeps the domain error as the source, for the JSON door.
    fn from(error: Error) -> Self {
        failure::log(&error);
        let mut metadata = HashMap::new();
        if let Some(scope) = error.required_scope() {
            metadata.insert("required_scope".to_owned(), scope.to_owned());
        }
        if let Some(interval) = error.interval() {
            metadata.insert("interval".to_owned(), interval.to_string());
        }
        if let Some(hint) = error.hint() {
            metadata.insert("hint".to_owned(), error_hint::for_grpc(hint));
        }
        let mut details = ErrorDetails::new();
        details.set_error_info(error.code().as_str().to_uppercase(), DOMAIN, metadata);
        if let Some(after) = error.retry_after() {
            details.set_retry_info(Some(after));
        }
        if !error.details().is_empty() {
            let violations = error.details().iter().map(|detail| {
                let field = detail.loc.get(1..).unwrap_or_default().join(".");
                FieldViolation::new(field, detail.msg.clone())
            });
            details.set_bad_request(violations.collect::<Vec<_>>());
        }
        let mut status = Self::with_error_details(grpc_code(error.code()), error.message(), details);
        status.set_source(Arc::new(error));
        status
    }
}

/// The domain error that a status was made from.
pub(crate) fn domain_error(status: &Status) -> Option<&Error> {
    std::error::Error::source(status)?.downcast_ref()
}
