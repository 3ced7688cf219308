//! The error responses of the OpenAPI document (contract section 5).

use serde_json::{Value, json};

use super::model::Method;

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

/// Error codes of RFC 6749 and RFC 8628, whose bodies have no members of this API.
const OAUTH_CODES: [&str; 7] = [
    "authorization_pending",
    "slow_down",
    "expired_token",
    "access_denied",
    "unsupported_client",
    "unsupported_grant_type",
    "invalid_grant",
];

/// The body of an error in the shape that the method uses.
pub(crate) fn body(method: &Method, status: u16, example: &Example, shape: &str) -> Value {
    if OAUTH_CODES.contains(&example.code) {
        let mut body = json!({"error": example.code, "error_description": example.message});
        if example.code == "slow_down" {
            body["interval"] = json!(10);
        }
        return body;
    }
    let member = method.input.fields().next().map(|field| field.name().to_owned()).unwrap_or_default();
    let message = example.message.replace("{max_body_kib}", &method.policy.max_body_kib.to_string());
    let message = message.replace("{member}", &member);
    let mut body = json!({"code": example.code, "message": message, "status": status});
    if status == 429 {
        body["retry_after_ms"] = json!(1000);
    }
    if example.code == "insufficient_scope" {
        body["required_scope"] = json!("apps:run");
    }
    if shape == "ConsoleError" {
        body["error"] = json!(example.code);
    }
    if shape == "InnerError" {
        let word = match example.code {
            "invalid_request" => "invalid_token",
            "bearer_missing" | "bearer_invalid" => "invalid inner api key",
            code => code,
        };
        return json!({"error": word});
    }
    if shape == "OAuthError" {
        body["error"] = json!(match status {
            429 | 503 => "temporarily_unavailable",
            401 => "invalid_client",
            500..=599 => "server_error",
            _ => "invalid_request",
        });
        body["error_description"] = json!(message);
    }
    body
}

/// The headers of a response with this status.
pub(crate) fn headers(method: &Method, status: u16) -> Value {
    let header = |name: &str, description: &str, schema: Value, example: Value| json!({name: {"description": description, "schema": schema, "example": example}});
    match status {
        401 if bearer(method) => {
            let description = "What is wrong with the token (RFC 6750 section 3).";
            header("WWW-Authenticate", description, json!({"type": "string"}), json!("Bearer error=\"invalid_token\""))
        }
        429 | 503 => {
            let schema = json!({"type": "integer", "minimum": 0});
            header("Retry-After", "Seconds to wait before the next attempt.", schema, json!(1))
        }
        _ => json!({}),
    }
}

const fn example(code: &'static str, message: &'static str, applies_to: fn(&Method) -> bool) -> Example {
    Example { code, message, applies_to }
}

fn always(_: &Method) -> bool {
    true
}

fn has_body(method: &Method) -> bool {
    method.http.as_ref().is_some_and(|http| http.body)
}

fn bearer(method: &Method) -> bool {
    method.policy.credential == "Bearer"
}

fn console(method: &Method) -> bool {
    method.policy.credential == "ConsoleSession"
}

fn is_app_method(method: &Method) -> bool {
    method.service == "AppService"
}

fn runs_app(method: &Method) -> bool {
    method.streams
}

fn named(method: &Method, names: &[&str]) -> bool {
    names.contains(&method.name.as_str())
}

/// Whether the method rejects requests from pages of other sites, which would use the cookies or the limits of the
/// visitor.
fn checks_origin(method: &Method) -> bool {
    let is_limited_or_writes =
        !method.policy.limits.is_empty() || method.http.as_ref().is_some_and(|http| http.verb != "GET");
    method.policy.json_only || method.policy.credential == "Public" && is_limited_or_writes
}

fn decides_grant(method: &Method) -> bool {
    named(method, &["ApproveDevice", "DenyDevice", "ApproveExternal"])
}

fn polls_token(method: &Method) -> bool {
    named(method, &["PollDeviceToken"])
}

/// Whether the method looks up an object that may be missing.
fn looks_up_object(method: &Method) -> bool {
    let methods = [
        "RevokeSession",
        "GetWorkspace",
        "SwitchWorkspace",
        "DescribeApp",
        "RunApp",
        "GetPermittedExternalApp",
        "RunPermittedExternalApp",
    ];
    decides_grant(method) || named(method, &methods)
}

fn with_grant(method: &Method) -> bool {
    method.policy.credential == "ApprovalGrant" || method.policy.approval_grant
}

fn licensed(method: &Method) -> bool {
    method.policy.license
}

fn starts_sign_in(method: &Method) -> bool {
    named(method, &["StartSingleSignOn"])
}

fn completes_sign_in(method: &Method) -> bool {
    named(method, &["CompleteSingleSignOn"])
}

fn signs_in(method: &Method) -> bool {
    starts_sign_in(method) || completes_sign_in(method)
}

fn takes_user_code(method: &Method) -> bool {
    decides_grant(method) || starts_sign_in(method) || named(method, &["LookupUserCode"])
}

fn has_one_subject(method: &Method) -> bool {
    bearer(method) && method.policy.subjects.len() == 1
}

fn has_query(method: &Method) -> bool {
    !has_body(method) && method.input.fields().len() > 0
}

/// Whether the method requires bearer tokens to be enabled, without accepting one.
fn requires_bearers_enabled(method: &Method) -> bool {
    decides_grant(method) || starts_sign_in(method) || named(method, &["CreateDeviceCode"])
}

fn has_scope(method: &Method) -> bool {
    !method.policy.scope.is_empty()
}

fn with_service_key(method: &Method) -> bool {
    method.policy.credential == "Service"
}

/// Ordered by status.
pub(crate) const TABLE: &[ErrorResponse] = &[
    ErrorResponse {
        status: 400,
        description: "The request is malformed, or OAuth refuses it.",
        applies_to: |method| has_body(method) || takes_user_code(method) || completes_sign_in(method),
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
            example("expired_token", "This code is no longer valid. Run `difyctl auth login` again.", polls_token),
            example("access_denied", "The request was denied.", polls_token),
            example("invalid_grant", "This code was issued to another client.", polls_token),
            example("unsupported_grant_type", "This endpoint only supports the device_code grant type.", polls_token),
            example("app_unavailable", "This app has no published version that can be run.", runs_app),
        ],
    },
    ErrorResponse {
        status: 401,
        description: "No credential, or one that is not valid.",
        applies_to: |method| method.policy.credential != "Public" || named(method, &["Login", "RefreshToken"]),
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
            example("not_found", "There is no such workspace.", |method| {
                named(method, &["GetWorkspace", "SwitchWorkspace"])
            }),
            example("not_found", "There is no such app.", |method| {
                named(method, &["DescribeApp", "RunApp", "GetPermittedExternalApp", "RunPermittedExternalApp"])
            }),
        ],
    },
    ErrorResponse {
        status: 409,
        description: "Already decided, being decided, or ambiguous.",
        applies_to: |method| decides_grant(method) || completes_sign_in(method) || named(method, &["DescribeApp"]),
        examples: &[
            example("already_resolved", "This code has already been approved or denied.", decides_grant),
            example("approve_in_progress", "This code is being approved right now.", decides_grant),
            example("user_code_not_pending", "This code has already been decided or has expired.", completes_sign_in),
            example(
                "ambiguous_app_name",
                "Several apps have this name: 0197e3a1-5b1c-7c3e-9f43-2f6f0d9c1a55 (chat), \
                 0197e3a1-5b1c-7c3e-9f43-2f6f0d9c1a56 (chat).",
                |method| named(method, &["DescribeApp"]),
            ),
        ],
    },
    ErrorResponse {
        status: 413,
        description: "The body is too large.",
        applies_to: has_body,
        examples: &[example("request_entity_too_large", "The body may be at most {max_body_kib} KiB.", has_body)],
    },
    ErrorResponse {
        status: 415,
        description: "The method does not accept a body of this type.",
        applies_to: has_body,
        examples: &[
            example("unsupported_media_type", "Send the body as application/json.", |method| !method.policy.form),
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
        // A body of the wrong shape is a 400. Only the members of a run are checked one by one.
        applies_to: |method| has_query(method) || runs_app(method),
        examples: &[
            example("invalid_param", "{member}: given more than once", has_query),
            example("invalid_param", "name in input form must be less than 48 characters", runs_app),
            example("workspace_id_required", "workspace_id is required.", is_app_method),
            example("query_required_for_chat", "A chat app needs a query.", runs_app),
            example("query_not_supported_for_workflow", "A workflow does not take a query.", runs_app),
            example("input_required", "name is required in input form", runs_app),
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
        status: 502,
        description: "The run failed, or the identity provider did.",
        applies_to: |method| runs_app(method) || signs_in(method),
        examples: &[
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
