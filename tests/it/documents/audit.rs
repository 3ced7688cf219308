//! `docs/audit.md`: every event of the audit trail, from the comments and the fields of its code.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::Path,
};

use dify_openapi::testing::pipeline::Policy;

use super::assert_current;

const INTRODUCTION: &str = "# Audit events

Generated from `src/telemetry/audit.rs` and `src/telemetry/audit/`; `UPDATE_DOCS=1 cargo test --test it documents` writes it.

Events are lines of the log with the target `audit`. They are written at every log level, and wait for space when the reader
of the log stalls. No event contains a token, its hash, a code, a password or a cookie.

Every event has `event` and `outcome`, which is `success` or, for an attempt that was refused, `failure`. Inside a request it
also has `request_id`, `trace_id`, `span_id`, `client` (the address behind trusted proxies), `peer` (the other end of the
connection) and `user_agent`. Events of commands have `operator`: the variable `OPERATOR`, or the user of the operating system;
commands store them in `openapi_operator_events`, and write them to standard error unless it is a terminal, which gets only
events that could not be stored. From the table the job `operator-events` of one
replica writes each to its log, within ten seconds, with `recorded_at` (when the command wrote it) and `event_id`, which is the
same when a crash between the two steps repeats a line. An event that could not be stored, or that no server has read within
90 days, is only on standard error. Fields without a value are left out.

| event | written when | outcome | further fields |
|---|---|---|---|
";

const METHODS_INTRODUCTION: &str = "
## Methods that change something or reveal a secret

Every method can also be refused with `auth.csrf_rejected` (browser session), `auth.service_key_rejected` (service key),
`oauth.token_expired`, `openapi.wrong_surface_denied` or `openapi.internal_state_invariant` (bearer token). Pages write the
events of the methods that they stand for.

| method | events |
|---|---|
";

/// The events of methods that change something or reveal a secret.
const METHODS: &[(&str, &[&str])] = &[
    ("AppService.RunApp", &["app.run.openapi", "app.api_key_created", "connection.credentials_read"]),
    ("ConnectionConsoleService.CompleteConnection", &["connection.authorized"]),
    ("ConnectionConsoleService.DeleteOAuthClient", &["connection.client_configured"]),
    ("ConnectionConsoleService.SetOAuthClient", &["connection.client_configured"]),
    ("ConnectionConsoleService.AddCredential", &["connection.authorized"]),
    ("ConnectionConsoleService.DeleteCredential", &["connection.revoked"]),
    ("ConnectionConsoleService.SetDefaultCredential", &["connection.default_changed"]),
    ("ConnectionConsoleService.UpdateCredential", &["connection.changed"]),
    (
        "ConnectionService.GetCredentials",
        &["connection.credentials_read", "connection.refreshed", "connection.reauthorization_required"],
    ),
    ("ConnectionService.ReportInvalid", &["connection.refreshed", "connection.reauthorization_required"]),
    ("ConnectionService.SetSystemClient", &["connection.client_configured"]),
    ("ConsoleAppService.CreateConsoleApp", &["app.created"]),
    ("ConsoleAppService.EnableConsoleApp", &["app.api_changed"]),
    ("ConsoleAppService.PublishDraft", &["app.published"]),
    ("ConsoleAppService.SaveDraft", &["app.draft_saved"]),
    ("ConsoleService.Login", &["auth.signed_in", "auth.login_failed", "auth.login_locked"]),
    ("ConsoleService.Logout", &["auth.signed_out"]),
    ("ConsoleService.SwitchWorkspace", &["workspace.switched"]),
    (
        "DeviceFlowService.ApproveDevice",
        &[
            "oauth.device_flow_approved",
            "oauth.device_flow_rejected",
            "oauth.user_code_rejected",
            "oauth.session_revoked",
        ],
    ),
    ("DeviceFlowService.CreateDeviceCode", &["oauth.device_code_issued", "oauth.device_flow_rejected"]),
    ("DeviceFlowService.DenyDevice", &["oauth.device_flow_denied", "oauth.user_code_rejected"]),
    ("DeviceFlowService.LookupUserCode", &["oauth.user_code_rejected"]),
    ("DeviceFlowService.PollDeviceToken", &["oauth.token_delivered", "oauth.device_code_cross_ip_poll"]),
    ("DslService.ConfirmImport", &["app.imported"]),
    ("DslService.ExportApp", &["app.exported"]),
    ("DslService.ImportApp", &["app.imported"]),
    ("FileService.UploadFile", &["app.file.uploaded"]),
    ("MemberService.InviteMember", &["workspace.member_added"]),
    ("MemberService.RemoveMember", &["workspace.member_removed"]),
    ("MemberService.SetMemberRole", &["workspace.member_role_changed"]),
    ("PermittedExternalAppService.RunPermittedExternalApp", &["app.run.openapi", "app.api_key_created"]),
    ("RunService.StopRun", &["app.run_stopped"]),
    ("RunService.SubmitHumanInputForm", &["app.form_submitted"]),
    ("SessionService.RevokeCurrentSession", &["oauth.session_revoked"]),
    ("SessionService.RevokeSession", &["oauth.session_revoked"]),
    ("SessionService.RevokeToken", &["oauth.session_revoked"]),
    ("SetupService.SetUp", &["setup.completed"]),
    ("SetupService.ValidateInitPassword", &["setup.init_password_rejected"]),
    ("SingleSignOnService.ApproveExternal", &["oauth.device_flow_approved", "oauth.device_flow_rejected"]),
    ("SingleSignOnService.CompleteSingleSignOn", &["oauth.sso_denied"]),
    ("TagService.BindTags", &["app.tags_bound"]),
    ("TagService.CreateTag", &["tag.created"]),
    ("TagService.DeleteTag", &["tag.deleted"]),
    ("TagService.UnbindTags", &["app.tags_unbound"]),
    ("WorkspaceService.SetCurrentWorkspace", &["workspace.switched"]),
];

/// Methods that change nothing and reveal no secret, or only continue what another event began.
const WITHOUT_EVENTS: &[&str] = &[
    "AppService.DescribeApp",
    "AppService.ListApps",
    "ConnectionConsoleService.GetCredentialSchema",
    "ConnectionConsoleService.GetOAuthClient",
    "ConnectionConsoleService.GetOAuthClientSchema",
    "ConnectionConsoleService.ListCredentials",
    "ConnectionConsoleService.StartConnection",
    "ConnectionService.ListConnections",
    "ConsoleAppService.GetConsoleApp",
    "ConsoleAppService.ListConsoleApps",
    "ConsoleService.GetCurrentWorkspace",
    "ConsoleService.GetProfile",
    "ConsoleService.ListConsoleWorkspaces",
    "ConsoleService.RefreshToken",
    "DslService.CheckDependencies",
    "IdentityService.GetAccount",
    "MemberService.ListMembers",
    "MetaService.GetCatalog",
    "MetaService.GetHealth",
    "MetaService.GetVersion",
    "PermittedExternalAppService.GetPermittedExternalApp",
    "PermittedExternalAppService.ListPermittedExternalApps",
    "RunService.GetHumanInputForm",
    "RunService.GetRunEvents",
    "SessionService.ListSessions",
    "SetupService.GetInitStatus",
    "SetupService.GetSetupStatus",
    "SingleSignOnService.GetApprovalContext",
    "SingleSignOnService.StartSingleSignOn",
    "TagService.ListTags",
    "TokenService.CheckAccessToken",
    "TokenService.IntrospectToken",
    "TokenService.ResolveToken",
    "WorkspaceService.GetWorkspace",
    "WorkspaceService.ListWorkspaces",
];

/// What the code says about an event.
#[derive(Debug, Default)]
struct Event {
    description: Option<String>,
    outcome: &'static str,
    fields: Vec<String>,
}

/// The events of a file by name.
fn read_events(code: &str, events: &mut BTreeMap<String, Event>) {
    for (name, description) in descriptions(code) {
        events.entry(name).or_default().description = Some(description);
    }
    for call in code.split("event!(").skip(1) {
        let (outcome, call) = match call.trim_start().strip_prefix("failure ") {
            Some(call) => ("failure", call),
            None => ("success", call.trim_start()),
        };
        let Some((name, rest)) = call.strip_prefix('"').and_then(|call| call.split_once('"')) else { continue };
        let event = events.entry(name.to_owned()).or_default();
        (event.outcome, event.fields) = (outcome, fields(rest));
    }
}

/// Events with their descriptions: comments that begin with the event in backquotes.
fn descriptions(code: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    let mut is_open = false;
    for line in code.lines() {
        let Some(text) = line.trim_start().strip_prefix("/// ") else {
            is_open = false;
            continue;
        };
        if let Some((name, text)) = text.strip_prefix('`').and_then(|text| text.split_once("`: ")) {
            found.push((name.to_owned(), text.to_owned()));
            is_open = true;
        } else if let Some((_, begin)) = found.last_mut().filter(|_| is_open) {
            begin.push(' ');
            begin.push_str(text);
        }
    }
    found
}

/// The names of the fields of a call, after the name of its event.
fn fields(call: &str) -> Vec<String> {
    let (mut depth, mut parts) = (0, vec![String::new()]);
    for symbol in call.chars() {
        match symbol {
            '(' => depth += 1,
            ')' if depth == 0 => break,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        parts.last_mut().unwrap().push(symbol);
    }
    let names = parts.iter().map(|part| part.split('=').next().unwrap().trim().to_owned());
    names.filter(|name| !name.is_empty()).collect()
}

fn document() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/telemetry");
    let mut events = BTreeMap::new();
    read_events(&fs::read_to_string(root.join("audit.rs")).unwrap(), &mut events);
    for file in fs::read_dir(root.join("audit")).unwrap() {
        read_events(&fs::read_to_string(file.unwrap().path()).unwrap(), &mut events);
    }
    let known: BTreeSet<_> = events.keys().cloned().collect();
    let mut text = INTRODUCTION.to_owned();
    for (name, Event { description, outcome, fields }) in events {
        let description = description.unwrap_or_else(|| panic!("{name} has no comment"));
        assert!(!outcome.is_empty(), "{name} is never written");
        let fields: Vec<_> = fields.iter().map(|field| format!("`{field}`")).collect();
        writeln!(text, "| `{name}` | {} | {outcome} | {} |", description.trim_end_matches('.'), fields.join(", "))
            .unwrap();
    }
    text += METHODS_INTRODUCTION;
    for (method, names) in METHODS {
        let unknown: Vec<_> = names.iter().filter(|name| !known.contains(**name)).collect();
        assert!(unknown.is_empty(), "{method}: {unknown:?}");
        let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
        writeln!(text, "| `{method}` | {} |", names.join(", ")).unwrap();
    }
    text
}

/// A new method is listed with its events, or as one without.
#[test]
fn every_method_is_listed_with_its_events_or_without() {
    let listed = METHODS.iter().map(|(method, _)| *method).chain(WITHOUT_EVENTS.iter().copied());
    let all: BTreeSet<_> = Policy::all().map(|policy| policy.method).collect();
    assert_eq!(listed.collect::<BTreeSet<_>>(), all);
}

#[test]
fn audit_document_is_current() {
    assert_current("audit.md", &document());
}
