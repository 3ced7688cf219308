//! The texts of operations in the OpenAPI document: the comment of the method, and its policy in words.

use super::model::Method;

/// The first sentence of the comment.
pub(crate) fn summary(method: &Method) -> String {
    sentences(method).0
}

/// The other sentences of the comment, then the method's policy.
pub(crate) fn description(method: &Method) -> String {
    let policy = [credential(method), presence(method).to_owned(), license(method).to_owned(), limits(method)];
    let texts = std::iter::once(sentences(method).1).chain(policy);
    texts.filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ")
}

fn sentences(method: &Method) -> (String, String) {
    match method.comment.split_once(". ") {
        Some((first, others)) => (format!("{first}."), others.to_owned()),
        None => (method.comment.clone(), String::new()),
    }
}

fn credential(method: &Method) -> String {
    let policy = &method.policy;
    let is_accepted = |subject: &str| policy.subjects.iter().any(|accepted| accepted == subject);
    let who = match policy.credential.as_str() {
        "Bearer" if is_accepted("Account") && is_accepted("ExternalSso") => {
            "a bearer token of an account or of an external identity"
        }
        "Bearer" if is_accepted("Account") => "a bearer token of an account",
        "Bearer" => "a bearer token of an external identity",
        "ConsoleSession" if policy.approval_grant => "a browser that is signed in, or that signed in for this device",
        "ConsoleSession" => "a browser that is signed in",
        "ApprovalGrant" => "a browser that signed in for this device",
        "Service" => "the credential of internal services",
        _ => return "Needs no credential.".to_owned(),
    };
    if policy.scope.is_empty() {
        return format!("Needs {who}.");
    }
    format!("Needs {who}, with the scope `{}`.", policy.scope)
}

fn presence(method: &Method) -> &'static str {
    match method.policy.presence.as_str() {
        "Enterprise" => "Present in the Enterprise edition.",
        "Standalone" => "Present on standalone servers.",
        "Connections" => "Present where connections are enabled.",
        _ => "",
    }
}

fn license(method: &Method) -> &'static str {
    if method.policy.license {
        "Requires a valid license."
    } else if method.policy.external_license {
        "Requires a valid license for external identities."
    } else {
        ""
    }
}

fn limits(method: &Method) -> String {
    let names: Vec<_> = method.policy.limits.iter().map(|limit| format!("`{limit}`")).collect();
    if names.is_empty() { String::new() } else { format!("Limited by {}.", names.join(" and ")) }
}
