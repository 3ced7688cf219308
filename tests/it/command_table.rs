//! Every command with its results, its errors and their exit codes, in the order of one operator's session.

use std::collections::BTreeSet;

use crate::support::command::run_command;

/// Arguments, standard input, exit code, and text of standard output (of standard error when the command fails).
type Row = (&'static str, &'static str, i32, &'static str);

const PASSWORD: &str = "a long password\n";
const APP: &str = "version: 0.1.5
kind: app
app: {name: Echo, mode: workflow}
workflow:
  graph:
    nodes:
    - {id: a, data: {type: start, title: Begin, variables: []}}
    - {id: b, data: {type: end, title: End, outputs: []}}
    edges:
    - {source: a, target: b}
";

const ROWS: &[Row] = &[
    ("", "", 2, "no command was given"),
    ("acount", "", 2, "did you mean `account`?"),
    // Before the tables exist.
    ("account list", "", 1, "run `dify-openapi migrate up`"),
    ("migrate plan", "", 0, "changes would be applied"),
    ("migrate plan --sql", "", 0, "CREATE TABLE"),
    ("migrate up --sql", "", 0, "INSERT INTO"),
    ("migrate up", "", 0, "changes applied"),
    ("migrate up --sql", "", 0, "-- There is nothing to change."),
    ("migrate up", "", 0, "0 changes applied"),
    ("migrate status", "", 0, "applied  m"),
    ("migrate down", "", 5, "1 change will be reverted, and the data in their tables is lost"),
    ("migrate down --dry-run", "", 0, "(dry run: nothing was changed)"),
    ("migrate down --sql", "", 0, "DELETE FROM"),
    ("migrate down --sql --yes", "", 2, "cannot be used with"),
    ("migrate down --to nothing", "", 3, "no applied change is named nothing"),
    ("migrate down --all --to nothing", "", 2, "cannot be used with"),
    // Accounts.
    ("account list", "", 0, "There are no accounts."),
    ("account list -o json", "", 0, "[]\n"),
    ("account create ada@example.com --name Ada", PASSWORD, 0, "Ada can sign in as ada@example.com (account "),
    ("account create Ada@Example.com", PASSWORD, 4, "already exists"),
    ("account create bob@example.com", "short\n", 2, "error: "),
    ("account create bob@example.com", "", 2, "no password was given"),
    ("account create bob@example.com -o json", PASSWORD, 0, "\"email\": \"bob@example.com\""),
    ("account create eve@example.com --workspace Nowhere", PASSWORD, 3, "no workspace `Nowhere`"),
    ("account list", "", 0, "NAME"),
    ("account list --quiet", "", 0, "ada@example.com"),
    ("account list -o yaml", "", 0, "  email: ada@example.com\n"),
    ("account list -o name", "", 0, "ada@example.com\nbob@example.com\n"),
    ("account list -o name --limit 1", "", 0, "ada@example.com\n"),
    ("account list -o xml", "", 2, "table, json, yaml, name"),
    ("account list --limit 0", "", 2, "--limit"),
    ("account set-password bob@example.com", PASSWORD, 0, "0 sessions ended"),
    ("account set-password typo@example.com", PASSWORD, 3, "no account `typo@example.com`"),
    // Workspaces.
    ("workspace list", "", 0, "There are no workspaces."),
    ("workspace create Lab --owner ada@example.com", "", 0, "ada@example.com owns the new workspace Lab ("),
    ("workspace create Den --owner ada@example.com -o json", "", 0, "\"name\": \"Den\""),
    ("workspace create Lab --owner typo@example.com", "", 3, "`dify-openapi account list`"),
    ("workspace list", "", 0, "MEMBERS"),
    ("workspace list -o json", "", 0, "\"members\": 1"),
    ("workspace add-member Lab bob@example.com", "", 0, "bob@example.com is a member of Lab with the role normal"),
    ("workspace add-member Lab bob@example.com", "", 4, "already a member"),
    ("workspace add-member Attic bob@example.com", "", 3, "no workspace `Attic`"),
    ("workspace add-member Lab bob@example.com --role owner", "", 2, "dataset_operator"),
    ("workspace set-role Lab bob@example.com editor", "", 0, "bob@example.com has the role editor in Lab\n"),
    ("workspace set-role Lab ada@example.com editor", "", 2, "stays its owner"),
    ("workspace set-role Den bob@example.com editor", "", 3, "not a member"),
    ("workspace rename Den Cave", "", 0, "Den is named Cave\n"),
    ("workspace rename Den Cave", "", 3, "no workspace `Den`"),
    (
        "workspace delete Cave",
        "",
        5,
        "Cave will be deleted with 0 apps, 0 conversations, 0 runs and 0 connections; add --yes",
    ),
    ("workspace delete Cave --dry-run", "", 0, "(dry run: nothing was changed)"),
    ("workspace delete Cave --yes", "", 0, "Cave is deleted with 0 apps, 0 conversations, 0 runs and 0 connections\n"),
    ("workspace delete Cave --yes", "", 3, "no workspace `Cave`"),
    // Apps.
    ("app check -", APP, 0, "standard input: will run"),
    ("app check -", "a: [", 1, "will not run here"),
    ("app list", "", 0, "There are no apps."),
    ("app import - --workspace Lab", APP, 0, "the workflow app Echo is created and published ("),
    ("app import - --workspace Lab -o json", APP, 0, "\"overwritten\": true"),
    ("app import - --workspace Lab", "a: [", 2, "standard input"),
    ("app import nowhere.yml --workspace Lab", "", 3, "nowhere.yml cannot be read"),
    ("app list --workspace Lab -o yaml", "", 0, "  name: Echo\n"),
    ("app list --workspace Attic", "", 3, "no workspace `Attic`"),
    ("app export Echo", "", 0, "kind: app"),
    ("app export Ohce", "", 3, "no app `Ohce`"),
    ("app import - --workspace Lab --new", APP, 0, "created"),
    ("app export Echo", "", 4, "several apps are named `Echo`"),
    ("app delete Echo --yes", "", 4, "several apps are named `Echo`"),
    ("app access-mode list", "", 0, "private_all"),
    ("app access-mode set Ohce public", "", 3, "no app `Ohce`"),
    ("app access-mode set Echo public", "", 4, "several apps are named `Echo`"),
    // Tokens.
    ("token list", "", 0, "There are no live sessions."),
    ("token create --account ada@example.com --label ci", "", 0, "dfoa_"),
    ("token create --account ada@example.com --label cd -o json", "", 0, "\"token\": \"dfoa_"),
    ("token create --account ada@example.com --label ci --ttl 400d", "", 2, "365 days"),
    ("token create --account typo@example.com --label ci", "", 3, "no account `typo@example.com`"),
    ("token list", "", 0, "CLIENT ID"),
    ("token list -o json --account ada@example.com", "", 0, "\"last_used_at\": null"),
    ("token list --client nobody", "", 3, "client `nobody`"),
    ("token revoke --account ada@example.com", "", 5, "this ends 2 sessions; add --yes"),
    ("token revoke --account ada@example.com --dry-run", "", 0, "this ends 2 sessions (dry run"),
    ("token revoke --account ada@example.com --dry-run --yes", "", 2, "cannot be used with"),
    ("token revoke --account ada@example.com --yes", "", 0, "2 sessions ended\n"),
    ("token revoke --account typo@example.com", "", 3, "no account `typo@example.com`"),
    ("token revoke", "", 2, "--since"),
    // Disabled accounts.
    ("account disable ada@example.com", "", 5, "ada@example.com will not be able to sign in, and 0 sessions will end"),
    ("account disable ada@example.com --yes", "", 0, "ada@example.com is disabled; 0 sessions ended\n"),
    ("token create --account ada@example.com --label ci", "", 5, "not active"),
    ("account disable typo@example.com --yes", "", 3, "no account `typo@example.com`"),
    ("account enable ada@example.com", "", 0, "ada@example.com can sign in again\n"),
    ("account enable typo@example.com", "", 3, "No account has this email address"),
    // Connections.
    ("connection provider list", "", 0, "langgenius/gmail/gmail"),
    ("connection provider import - --key acme/search/search", "oauth: 5", 2, "standard input"),
    ("connection provider remove acme/search/search", "", 3, "was not imported"),
    ("connection set-client gmail -", "[]", 2, "not a JSON object"),
    (
        "connection set-client gmail -",
        r#"{"client_id": "a", "client_secret": "b"}"#,
        0,
        "stored the OAuth client of langgenius/gmail/gmail",
    ),
    ("connection list", "", 0, "There are no connections."),
    ("connection list -o json", "", 0, "[]"),
    ("connection revoke 0197e3a1-5b1c-7c3e-9f43-2f6f0d9c1a55", "", 3, "there is no connection"),
    ("connection rotate-keys", "", 0, "of 1 credentials and OAuth clients"),
    // Changes and deletions.
    ("account create zoe@Example.COM -o json", PASSWORD, 0, "\"email\": \"zoe@example.com\""),
    ("account create zoe.example.com", PASSWORD, 2, "not an email address"),
    ("account rename zoe@example.com Zo\u{eb}", "", 0, "zoe@example.com is named Zo\u{eb}\n"),
    ("account rename typo@example.com Zoe", "", 3, "no account `typo@example.com`"),
    ("account set-role bob@example.com normal --workspace Lab", "", 0, "has the role normal in Lab\n"),
    ("account set-role bob@example.com owner --workspace Lab", "", 2, "dataset_operator"),
    ("account unlock bob@example.com", "", 5, "without Redis"),
    ("account unlock typo@example.com", "", 3, "no account `typo@example.com`"),
    (
        "account delete zoe@example.com",
        "",
        5,
        "zoe@example.com will be deleted with 0 private connections, and 0 sessions will end; add --yes",
    ),
    (
        "account delete zoe@example.com --yes",
        "",
        0,
        "zoe@example.com is deleted with 0 private connections; 0 sessions ended\n",
    ),
    ("account delete zoe@example.com --yes", "", 3, "no account `zoe@example.com`"),
    ("account delete ada@example.com --yes", "", 4, "owns a workspace"),
    ("workspace remove-member Lab bob@example.com", "", 0, "bob@example.com is no longer a member of Lab\n"),
    ("workspace remove-member Lab bob@example.com", "", 3, "not a member"),
    ("workspace delete Lab --yes", "", 0, "Lab is deleted with 2 apps, 0 conversations, 0 runs and 0 connections\n"),
    ("app list", "", 0, "There are no apps."),
    (
        "account delete ada@example.com --yes",
        "",
        0,
        "ada@example.com is deleted with 0 private connections; 0 sessions ended\n",
    ),
    ("workspace create Lab --owner bob@example.com", "", 0, "bob@example.com owns the new workspace Lab ("),
    ("app import - --workspace Lab", APP, 0, "created"),
    ("app disable Echo", "", 0, "Echo cannot be called"),
    ("app enable Echo", "", 0, "Echo can be called\n"),
    ("app enable Ohce", "", 3, "no app `Ohce`"),
    ("app delete Echo", "", 5, "Echo will be deleted with 0 conversations and 0 runs; add --yes"),
    ("app delete Echo --yes", "", 0, "Echo is deleted with 0 conversations and 0 runs\n"),
    ("app delete Echo --yes", "", 3, "no app `Echo`"),
    // The rest.
    ("check-config", "", 0, "The configuration is complete."),
    ("openapi", "", 0, "\"/openapi/v1/account\""),
    ("openapi --internal", "", 0, "\"/console/api/login\""),
    ("descriptors", "", 0, "dify/openapi/v1/app.proto"),
    ("completions bash", "", 0, "complete -F"),
    ("completions csh", "", 2, "bash"),
    ("man", "", 0, ".SH \"EXIT STATUS\""),
    ("dev --listen 0.0.0.0:0", "", 2, "loopback"),
    ("serve --listen 0.0.0.0:0", "", 2, "unexpected argument"),
    ("migrate down --all --yes", "", 0, "changes reverted"),
];

/// The names of the commands, from the headings of the manual page.
fn commands() -> BTreeSet<String> {
    let page = String::from_utf8(run_command([("PATH", "")], &["man"], "").stdout).unwrap().replace('\\', "");
    let names = page.lines().filter_map(|line| line.strip_prefix(".SH \"dify-openapi ")?.strip_suffix('"'));
    names.map(str::to_owned).collect()
}

#[test]
fn every_command_prints_its_result_or_fails_with_its_exit_code() {
    let data = tempfile::tempdir().unwrap();
    let directory = data.path().join("data").display().to_string();
    let environment = [
        ("DATA_DIR", directory.as_str()),
        ("SECRET_KEY", "a-key-for-the-tests-of-the-command-line"),
        ("CONSOLE_WEB_URL", "https://dify.example.com"),
    ];
    let mut untested = commands();
    assert!(untested.len() > 20, "{untested:?}");
    for &(line, input, code, text) in ROWS {
        let arguments: Vec<&str> = line.split_whitespace().collect();
        let output = run_command(environment, &arguments, input);
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{line}: {stdout}{stderr}");
        let shown = if code == 0 { &stdout } else { &stderr };
        assert!(shown.contains(text), "{line}: {stdout}{stderr}");
        assert!(code == 0 || stderr.lines().any(|line| line.starts_with("error: ")), "{line}: {stderr}");
        untested.retain(|name| !format!("{line} ").starts_with(&format!("{name} ")));
    }
    assert!(untested.is_empty(), "no row runs {untested:?}");
}

#[test]
fn stores_that_do_not_answer_have_an_exit_code_of_their_own() {
    for url in ["postgres://dify@127.0.0.1:1/dify", "mysql://dify@127.0.0.1:1/dify"] {
        let environment = [
            ("DATABASE_URL", url),
            ("SINGLE_REPLICA", "true"),
            ("SECRET_KEY", "a-key-for-the-tests-of-the-command-line"),
            ("CONSOLE_WEB_URL", "https://dify.example.com"),
            ("DATA_DIR", "/nowhere"),
        ];
        for arguments in [&["account", "list"][..], &["token", "list"], &["migrate", "up"], &["workspace", "list"]] {
            let output = run_command(environment, arguments, "");
            assert_eq!(output.status.code(), Some(6), "{url}: {output:?}");
        }
    }
}
