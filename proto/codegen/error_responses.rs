//! Which errors a method returns: the table behind the error responses of the OpenAPI document (contract section 5).

use super::{
    method_kinds::{
        always, bearer, checks_console_values, checks_origin, completes_sign_in, console, decides_grant, edits_apps,
        edits_in_console, exports, has_body, has_one_subject, has_query, has_scope, is_app_method, is_in_workspace,
        licensed, looks_up_object, manages_members, named, names_connection, names_console_app, needs_dify,
        polls_token, reads_credentials, requires_bearers_enabled, runs_app, sets_up_client, signs_in, takes_form_token,
        takes_user_code, uploads, with_grant, with_service_key,
    },
    model::Method,
};

/// The responses with one status.
pub(crate) struct ErrorResponse {
    pub status: u16,
    pub description: &'static str,
    /// Whether a method can return the status.
    pub applies_to: fn(&Method) -> bool,
    pub examples: &'static [Example],
}

/// An example of a body.
pub(crate) struct Example {
    pub code: &'static str,
    /// `{max_body_kib}` and `{member}` are replaced by the body limit and the first member of the method.
    pub message: &'static str,
    /// Whether a method can return it.
    pub applies_to: fn(&Method) -> bool,
}

const fn example(code: &'static str, message: &'static str, applies_to: fn(&Method) -> bool) -> Example {
    Example { code, message, applies_to }
}

/// Ordered by status.
pub(crate) const TABLE: &[ErrorResponse] = &[
    ErrorResponse {
        status: 400,
        description: "The request is malformed, or OAuth refuses it.",
        applies_to: |method| {
            has_body(method)
                || uploads(method)
                || takes_user_code(method)
                || completes_sign_in(method)
                || sets_up_client(method)
                || named(method, &["StartConnection", "CompleteConnection", "RemoveMember", "ExportApp"])
        },
        examples: &[
            example("invalid_request", "The body must be a JSON object.", has_body),
            example("invalid_user_code", "That is not a valid code. Codes look like ABCD-EFGH.", takes_user_code),
            example(
                "invalid_sso_assertion",
                "This sign-in is not valid, has expired, or was used before.",
                completes_sign_in,
            ),
            example("user_code_mismatch", "This is not the code that you signed in for.", |method| {
                decides_grant(method) && with_grant(method)
            }),
            example("unsupported_client", "invalid_client", |method| named(method, &["CreateDeviceCode"])),
            example(
                "authorization_pending",
                "The request has not been approved or denied yet. Keep polling.",
                polls_token,
            ),
            example("slow_down", "Polling too often. Wait for the interval between polls.", polls_token),
            example("expired_token", "This code is no longer valid. Sign in again for a new code.", polls_token),
            example("access_denied", "The request was denied.", polls_token),
            example("invalid_grant", "This code was issued to another client.", polls_token),
            example("unsupported_grant_type", "This endpoint only supports the device_code grant type.", polls_token),
            example("app_unavailable", "This app has no published version that can be run.", runs_app),
            example("app_unavailable", "This app has no published version.", |method| named(method, &["ExportApp"])),
            example("oauth_client_missing", "This provider has no OAuth client yet.", |method| {
                named(method, &["StartConnection"])
            }),
            example("invalid_request", "state is required.", |method| named(method, &["CompleteConnection"])),
            example("invalid_request", "This provider has no OAuth; add an API key instead.", |method| {
                named(method, &["StartConnection"]) || sets_up_client(method) && !has_body(method)
            }),
            example("invalid_request", "You cannot change your own membership.", |method| {
                named(method, &["RemoveMember"])
            }),
            example("no_file_uploaded", "The request has no file.", uploads),
            example("too_many_files", "Send one file at a time.", uploads),
            example("filename_not_exists", "The file has no name.", uploads),
            example("file_extension_blocked", "Files with the extension .exe are not accepted here.", uploads),
        ],
    },
    ErrorResponse {
        status: 401,
        description: "No credential, or one that is not valid.",
        applies_to: |method| {
            method.policy.credential != "Public"
                || named(method, &["Login", "RefreshToken", "SetUp", "ValidateInitPassword"])
        },
        examples: &[
            example("bearer_missing", "A bearer token is required.", bearer),
            example("bearer_invalid", "This token is not valid.", bearer),
            example("bearer_expired", "This session has expired.", bearer),
            example("invalid_prefix", "This is an app key, not a user token.", bearer),
            example("unknown_token_prefix", "This kind of token is not accepted here.", bearer),
            example("bearer_missing", "The service credential is required.", with_service_key),
            example("bearer_invalid", "The service credential is not valid.", with_service_key),
            example("no_session", "You are not signed in.", |method| {
                console(method) || named(method, &["GetApprovalContext"])
            }),
            example("session_already_consumed", "This sign-in has already been used.", |method| {
                named(method, &["ApproveExternal"])
            }),
            example("invalid_session", "Your session has ended.", |method| named(method, &["RefreshToken"])),
            example("not_init_validated", "INIT_PASSWORD has not been given.", |method| named(method, &["SetUp"])),
            example("init_validate_failed", "INIT_PASSWORD is wrong.", |method| {
                named(method, &["ValidateInitPassword"])
            }),
            example("authentication_failed", "The email address or the password is wrong.", |method| {
                named(method, &["Login"])
            }),
        ],
    },
    ErrorResponse {
        status: 403,
        description: "The credential does not allow this.",
        applies_to: |method| {
            has_one_subject(method)
                || has_scope(method)
                || is_app_method(method)
                || licensed(method)
                || checks_origin(method)
        },
        examples: &[
            example("wrong_surface", "This token is for another part of the API.", has_one_subject),
            example("insufficient_scope", "This token does not have the required scope.", has_scope),
            example("workspace_membership_revoked", "You are not a member of this workspace.", is_app_method),
            example("license_required", "A valid enterprise license is required.", licensed),
            example("email_belongs_to_dify_account", "This email address belongs to an account of Dify.", |method| {
                named(method, &["ApproveExternal"])
            }),
            example("already_setup", "This server has been set up already.", |method| {
                named(method, &["SetUp", "ValidateInitPassword"])
            }),
            example("forbidden", "Only editors of the workspace may do this.", |method| {
                edits_apps(method) || edits_in_console(method)
            }),
            example("forbidden", "Only administrators of the workspace may do this.", |method| {
                sets_up_client(method) || manages_members(method) || named(method, &["EnableConsoleApp"])
            }),
            example("csrf_mismatch", "This request did not come from this site's own pages.", checks_origin),
        ],
    },
    ErrorResponse {
        status: 404,
        description: "Not found, or not visible to the caller.",
        applies_to: always,
        examples: &[
            example("not_found", "There is nothing at this address.", |method| !looks_up_object(method)),
            example("not_found", "This code is no longer valid.", decides_grant),
            example("sso_not_configured", "Single sign-on is not set up on this server.", signs_in),
            example("not_found", "There is no such session.", |method| named(method, &["RevokeSession"])),
            example("not_found", "Workspace not found.", |method| named(method, &["GetWorkspace", "SwitchWorkspace"])),
            example("not_found", "Workspace not found.", is_in_workspace),
            example("not_found", "There is no such app.", |method| {
                let methods =
                    ["DescribeApp", "RunApp", "GetPermittedExternalApp", "RunPermittedExternalApp", "UploadFile"];
                exports(method) || names_console_app(method) || named(method, &methods)
            }),
            example("not_found", "There is no such tag.", |method| named(method, &["DeleteTag"])),
            example("not_found", "There is no such form.", takes_form_token),
        ],
    },
    ErrorResponse {
        status: 409,
        description: "Already decided, being decided, or ambiguous.",
        applies_to: |method| {
            decides_grant(method)
                || completes_sign_in(method)
                || named(method, &["DescribeApp", "RunApp", "InviteMember", "CreateTag", "SaveDraft"])
                || reads_credentials(method)
                || names_connection(method)
        },
        examples: &[
            example("already_resolved", "This code has already been approved or denied.", decides_grant),
            example("approve_in_progress", "This code is being approved right now.", decides_grant),
            example("user_code_not_pending", "This code has already been decided or has expired.", completes_sign_in),
            example(
                "ambiguous_app_name",
                "Several apps have this name: 0197e3a1-5b1c-7c3e-9f43-2f6f0d9c1a55 (chat), \
                 0197e3a1-5b1c-7c3e-9f43-2f6f0d9c1a56 (chat).",
                |method| named(method, &["DescribeApp", "RunApp"]),
            ),
            example(
                "reauthorization_required",
                "The connection `AUTH 1` has to be authorized again (invalid_grant).",
                reads_credentials,
            ),
            example("already_exists", "Another connection to this provider has this name.", names_connection),
            example("already_exists", "Another tag of the workspace has this name.", |method| {
                named(method, &["CreateTag"])
            }),
            example("conflict", "The draft has changed since it was read.", |method| named(method, &["SaveDraft"])),
            example("already_exists", "This account is already a member of the workspace.", |method| {
                named(method, &["InviteMember"])
            }),
        ],
    },
    ErrorResponse {
        status: 412,
        description: "The form cannot be submitted any more.",
        applies_to: takes_form_token,
        examples: &[
            example("human_input_form_submitted", "The form has been submitted already.", takes_form_token),
            example("human_input_form_expired", "The form has expired.", takes_form_token),
        ],
    },
    ErrorResponse {
        status: 413,
        description: "The body is too large.",
        applies_to: |method| has_body(method) || uploads(method),
        examples: &[
            example("request_entity_too_large", "The body may be at most {max_body_kib} KiB.", has_body),
            example("file_too_large", "The file is larger than its type may be.", uploads),
        ],
    },
    ErrorResponse {
        status: 415,
        description: "The method does not accept a body of this type.",
        applies_to: |method| has_body(method) || uploads(method),
        examples: &[
            example("unsupported_media_type", "Send the body as multipart/form-data.", uploads),
            example(
                "unsupported_file_type",
                "The extension of the file is .png, but its contents are application/zip.",
                uploads,
            ),
            example("unsupported_media_type", "Send the body as application/json.", |method| {
                has_body(method) && !method.policy.form
            }),
            example(
                "unsupported_media_type",
                "Send the body as application/json or application/x-www-form-urlencoded.",
                |method| method.policy.form,
            ),
        ],
    },
    ErrorResponse {
        status: 421,
        description: "A host name that this server does not answer to; in development only.",
        applies_to: always,
        examples: &[example(
            "misdirected_request",
            "This development server only answers to localhost and 127.0.0.1.",
            always,
        )],
    },
    ErrorResponse {
        status: 422,
        description: "A value is missing or out of range.",
        // A body of the wrong shape is a 400. Only the members of a run and of a connection are checked one by one.
        applies_to: |method| {
            has_query(method)
                || runs_app(method)
                || uploads(method)
                || names_connection(method)
                || checks_console_values(method)
                || named(
                    method,
                    &["SetOAuthClient", "SubmitHumanInputForm", "InviteMember", "SetMemberRole", "ImportApp"],
                )
                || method.service == "ConnectionService"
        },
        examples: &[
            example("invalid_param", "{member}: given more than once", has_query),
            example("invalid_param", "name in input form must be less than 48 characters", runs_app),
            example("invalid_param", "visibility: must be only_me or all_team_members", names_connection),
            example("invalid_param", "mode: must be yaml-content or yaml-url", |method| named(method, &["ImportApp"])),
            example("invalid_param", "email: this is not an email address, such as ada@example.com", |method| {
                named(method, &["SetUp"])
            }),
            example("invalid_param", "name: must have 1 to 50 characters", |method| named(method, &["CreateTag"])),
            example("invalid_param", "tag_ids: must have 1 to 50 ids", |method| {
                named(method, &["BindTags", "UnbindTags"])
            }),
            example("invalid_param", "marked_name: must have at most 20 characters", |method| {
                named(method, &["PublishDraft"])
            }),
            example(
                "invalid_param",
                "mode: must be one of chat, agent-chat, advanced-chat, completion and workflow",
                |method| named(method, &["CreateConsoleApp"]),
            ),
            example("invalid_param", "role: must be normal or admin", |method| named(method, &["InviteMember"])),
            example("invalid_param", "role: must be admin, editor, normal or dataset_operator", |method| {
                named(method, &["SetMemberRole"])
            }),
            example("invalid_param", "client_id: is required", |method| {
                named(method, &["SetOAuthClient", "SetSystemClient"])
            }),
            example("invalid_param", "tenant_id: must be a UUID", |method| {
                method.service == "ConnectionService" && !named(method, &["SetSystemClient"])
            }),
            example("workspace_id_required", "workspace_id is required.", |method| {
                is_app_method(method) && !uploads(method)
            }),
            example("mode_not_runnable", "Apps of mode channel cannot be run.", |method| {
                uploads(method) || exports(method)
            }),
            example("query_required_for_chat", "A chat app needs a query.", runs_app),
            example("query_not_supported_for_workflow", "A workflow does not take a query.", runs_app),
            example("app_mode_mismatch", "The app has another mode than the requested one.", |method| {
                named(method, &["RunApp"])
            }),
            example("input_required", "name is required in input form", runs_app),
            example("invalid_param", "action: is no action of this form", |method| {
                named(method, &["SubmitHumanInputForm"])
            }),
            example("input_required", "The input \"tone\" is required.", |method| {
                named(method, &["SubmitHumanInputForm"])
            }),
        ],
    },
    ErrorResponse {
        status: 429,
        description: "Too many requests; see Retry-After.",
        applies_to: always,
        examples: &[example("rate_limited", "Too many requests. Wait a moment and try again.", always)],
    },
    ErrorResponse {
        status: 500,
        description: "Something broke on our side.",
        applies_to: always,
        examples: &[example("internal_server_error", "Something went wrong on our side.", always)],
    },
    ErrorResponse {
        status: 501,
        description: "Beside Dify, only Dify itself can do this.",
        applies_to: needs_dify,
        examples: &[example("not_supported_here", "Only Dify itself can do this.", always)],
    },
    ErrorResponse {
        status: 502,
        description: "The run failed, or a provider did.",
        applies_to: |method| runs_app(method) || signs_in(method) || reads_credentials(method),
        examples: &[
            example("upstream_error", "The provider cannot be reached.", reads_credentials),
            example("upstream_error", "The app's run failed.", runs_app),
            example("upstream_error", "The identity provider cannot be reached, or its answer is invalid.", signs_in),
        ],
    },
    ErrorResponse {
        status: 503,
        description: "Unavailable for now, see Retry-After; or bearer tokens are switched off.",
        applies_to: always,
        examples: &[
            example("service_unavailable", "The service is temporarily unavailable. Try again shortly.", always),
            example(
                "bearer_auth_disabled",
                "Signing in with bearer tokens is switched off on this server.",
                |method| bearer(method) || requires_bearers_enabled(method),
            ),
            example(
                "permitted_external_apps_unavailable",
                "The permitted apps cannot be listed right now.",
                |method| named(method, &["ListPermittedExternalApps"]),
            ),
            example("user_code_exhausted", "No code is free right now. Try again.", |method| {
                named(method, &["CreateDeviceCode"])
            }),
        ],
    },
    ErrorResponse {
        status: 504,
        description: "The run took too long, or the identity provider did.",
        applies_to: |method| runs_app(method) || signs_in(method),
        examples: &[
            example("upstream_timeout", "The run took longer than 1200 seconds.", runs_app),
            example("upstream_timeout", "The identity provider did not answer in time.", signs_in),
        ],
    },
];
