//! Kinds of methods, which decide the error responses of a method.

use super::model::Method;

pub(crate) fn always(_: &Method) -> bool {
    true
}

/// Whether the method takes a message as its body.
pub(crate) fn has_body(method: &Method) -> bool {
    method.http.as_ref().is_some_and(|http| http.body) && !method.uploads
}

pub(crate) fn uploads(method: &Method) -> bool {
    method.uploads
}

pub(crate) fn bearer(method: &Method) -> bool {
    method.policy.credential == "Bearer"
}

pub(crate) fn console(method: &Method) -> bool {
    method.policy.credential == "ConsoleSession"
}

pub(crate) fn is_app_method(method: &Method) -> bool {
    matches!(method.service.as_str(), "AppService" | "FileService")
}

pub(crate) fn runs_app(method: &Method) -> bool {
    method.streams
}

pub(crate) fn takes_form_token(method: &Method) -> bool {
    named(method, &["GetHumanInputForm", "SubmitHumanInputForm"])
}

pub(crate) fn named(method: &Method, names: &[&str]) -> bool {
    names.contains(&method.name.as_str())
}

/// Whether the method rejects requests from pages of other sites, which would use the cookies or the limits of the
/// visitor.
pub(crate) fn checks_origin(method: &Method) -> bool {
    let is_limited_or_writes =
        !method.policy.limits.is_empty() || method.http.as_ref().is_some_and(|http| http.verb != "GET");
    method.policy.json_only || method.policy.credential == "Public" && is_limited_or_writes
}

pub(crate) fn decides_grant(method: &Method) -> bool {
    named(method, &["ApproveDevice", "DenyDevice", "ApproveExternal"])
}

pub(crate) fn polls_token(method: &Method) -> bool {
    named(method, &["PollDeviceToken"])
}

/// Whether the method changes the members of a workspace, which is for its administrators.
pub(crate) fn manages_members(method: &Method) -> bool {
    named(method, &["InviteMember", "RemoveMember", "SetMemberRole"])
}

/// Whether the path of the method has a workspace that the caller must have joined.
pub(crate) fn is_in_workspace(method: &Method) -> bool {
    manages_members(method) || imports(method) || named(method, &["SetCurrentWorkspace", "ListMembers"])
}

/// Whether the method imports a file, whose failure is a state and no error.
pub(crate) fn imports(method: &Method) -> bool {
    named(method, &["ImportApp", "ConfirmImport"])
}

/// Whether the method is for editors of a workspace.
pub(crate) fn edits_apps(method: &Method) -> bool {
    method.service == "DslService"
}

/// Whether the method names an app by its id.
pub(crate) fn exports(method: &Method) -> bool {
    edits_apps(method) && !imports(method)
}

/// Whether beside Dify only Dify itself can do what the method does.
pub(crate) fn needs_dify(method: &Method) -> bool {
    edits_apps(method) || named(method, &["InviteMember", "RemoveMember", "SetMemberRole"])
}

/// Whether success is 201.
pub(crate) fn creates(method: &Method) -> bool {
    uploads(method) || named(method, &["InviteMember", "SetUp", "ValidateInitPassword", "CreateConsoleApp"])
}

/// Whether success is 204.
pub(crate) fn deletes(method: &Method) -> bool {
    named(method, &["DeleteTag"])
}

/// Whether the method names one app of the console.
pub(crate) fn names_console_app(method: &Method) -> bool {
    named(method, &["GetConsoleApp", "EnableConsoleApp", "SaveDraft", "PublishDraft", "BindTags", "UnbindTags"])
}

/// Whether the method is for editors in the console.
pub(crate) fn edits_in_console(method: &Method) -> bool {
    named(
        method,
        &["CreateConsoleApp", "SaveDraft", "PublishDraft", "CreateTag", "DeleteTag", "BindTags", "UnbindTags"],
    )
}

/// Whether the method checks values of its body one by one.
pub(crate) fn checks_console_values(method: &Method) -> bool {
    named(method, &["SetUp", "CreateConsoleApp", "PublishDraft", "CreateTag", "BindTags", "UnbindTags"])
}

/// Whether the method looks up an object that may be missing.
pub(crate) fn looks_up_object(method: &Method) -> bool {
    let methods = [
        "RevokeSession",
        "GetWorkspace",
        "SwitchWorkspace",
        "DescribeApp",
        "RunApp",
        "GetPermittedExternalApp",
        "RunPermittedExternalApp",
        "UploadFile",
        "GetHumanInputForm",
        "SubmitHumanInputForm",
        "DeleteTag",
    ];
    names_console_app(method)
        || decides_grant(method)
        || is_in_workspace(method)
        || exports(method)
        || named(method, &methods)
}

pub(crate) fn with_grant(method: &Method) -> bool {
    method.policy.credential == "ApprovalGrant" || method.policy.approval_grant
}

pub(crate) fn licensed(method: &Method) -> bool {
    method.policy.license || method.policy.external_license
}

/// Whether the method returns current credentials.
pub(crate) fn reads_credentials(method: &Method) -> bool {
    named(method, &["GetCredentials", "ReportInvalid"])
}

/// Whether the method checks the name and the visibility of a connection.
pub(crate) fn names_connection(method: &Method) -> bool {
    named(method, &["AddCredential", "UpdateCredential"])
}

/// Whether the method is for administrators of a workspace.
pub(crate) fn sets_up_client(method: &Method) -> bool {
    named(method, &["GetOAuthClientSchema", "SetOAuthClient", "GetOAuthClient", "DeleteOAuthClient"])
}

pub(crate) fn starts_sign_in(method: &Method) -> bool {
    named(method, &["StartSingleSignOn"])
}

pub(crate) fn completes_sign_in(method: &Method) -> bool {
    named(method, &["CompleteSingleSignOn"])
}

pub(crate) fn signs_in(method: &Method) -> bool {
    starts_sign_in(method) || completes_sign_in(method)
}

pub(crate) fn takes_user_code(method: &Method) -> bool {
    decides_grant(method) || starts_sign_in(method) || named(method, &["LookupUserCode"])
}

pub(crate) fn has_one_subject(method: &Method) -> bool {
    bearer(method) && method.policy.subjects.len() == 1
}

pub(crate) fn has_query(method: &Method) -> bool {
    !has_body(method) && !uploads(method) && method.input.fields().len() > 0
}

/// Whether the method requires bearer tokens to be enabled, without accepting one.
pub(crate) fn requires_bearers_enabled(method: &Method) -> bool {
    decides_grant(method) || starts_sign_in(method) || named(method, &["CreateDeviceCode"])
}

pub(crate) fn has_scope(method: &Method) -> bool {
    !method.policy.scope.is_empty()
}

pub(crate) fn with_service_key(method: &Method) -> bool {
    method.policy.credential == "Service"
}
