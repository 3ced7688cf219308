//! The commands `app import`, `app list` and `app export`.

use std::{path::Path, process::Output};

use crate::support::command::{run_command, succeeded};

/// The data directory of a standalone server with one workspace. The first command creates it.
struct Operator(tempfile::TempDir);

impl Operator {
    fn new() -> Self {
        let operator = Self(tempfile::tempdir().unwrap());
        operator.run_successfully(&["migrate", "up"], "");
        operator.run_successfully(&["account", "create", "ada@example.com"], "a long password\n");
        operator.run_successfully(&["workspace", "create", "Lab", "--owner", "ada@example.com"], "");
        operator
    }

    fn run(&self, arguments: &[&str], input: &str) -> Output {
        let data = self.0.path().join("data/of/ours");
        let environment = [
            ("DATA_DIR", data.as_os_str()),
            ("SECRET_KEY", "a-key-for-the-tests-of-the-app-command".as_ref()),
            ("CONSOLE_WEB_URL", "https://dify.example.com".as_ref()),
        ];
        run_command(environment, arguments, input)
    }

    /// Runs a command that must succeed, and returns its standard output.
    fn run_successfully(&self, arguments: &[&str], input: &str) -> String {
        succeeded(self.run(arguments, input)).0
    }

    /// Runs a command that must fail, and returns its error line and exit code.
    fn run_with_error(&self, arguments: &[&str], input: &str) -> (String, Option<i32>) {
        let output = self.run(arguments, input);
        assert!(output.stdout.is_empty(), "{output:?}");
        let line = String::from_utf8(output.stderr).unwrap();
        assert!(line.starts_with("error: ") && line.trim_end().lines().count() == 1, "{line}");
        (line, output.status.code())
    }
}

const APP: &str = "version: 0.1.5
kind: app
app:
  name: Shouter
  mode: workflow
workflow:
  environment_variables:
  - {name: TOKEN, value_type: secret, value: s3cret}
  graph:
    nodes:
    - {id: a, data: {type: start, title: Begin, variables: []}}
    - {id: b, data: {type: end, title: End, outputs: []}}
    edges:
    - {source: a, target: b}
";

#[test]
fn imported_app_is_exported_unchanged() {
    let operator = Operator::new();
    let file: &Path = &operator.0.path().join("shouter.yml");
    std::fs::write(file, APP).unwrap();
    let import = ["app", "import", file.to_str().unwrap(), "--workspace", "Lab"];
    let first = operator.run_successfully(&import, "");
    let (rest, id) = first.trim_end().split_once(" (").unwrap();
    let id = id.trim_end_matches(')');
    assert_eq!(rest, "the workflow app Shouter is created and published");
    assert_eq!(operator.run_successfully(&import, ""), first.replace("created", "overwritten"));
    assert_eq!(
        operator.run_successfully(&["app", "list", "--workspace", "Lab"], ""),
        format!("{:<36}  NAME     MODE      PUBLISHED  WORKSPACE\n{id}  Shouter  workflow  yes        Lab\n", "ID")
    );

    let whole = ["app", "export", "Shouter", "--include-secrets"];
    let exported = operator.run_successfully(&whole, "");
    assert!(exported.contains("value: s3cret"), "{exported}");
    assert_eq!(operator.run_successfully(&["app", "export", id, "--include-secrets"], ""), exported);
    operator.run_successfully(&["app", "import", "-", "--workspace", "Lab", "--app", id], &exported);
    assert_eq!(operator.run_successfully(&whole, ""), exported);

    // Without --include-secrets no secret is exported, and a warning names it.
    let without = operator.run(&["app", "export", "Shouter"], "");
    assert!(without.status.success(), "{without:?}");
    assert_eq!(String::from_utf8(without.stdout).unwrap(), exported.replace("value: s3cret", "value: \"\""));
    // The audit event of the command follows.
    let printed = String::from_utf8(without.stderr).unwrap();
    let (warning, event) = printed.split_once('\n').unwrap();
    assert!(event.contains("event=operator.command") && event.contains("command=\"app export\""), "{event}");
    assert_eq!(warning, "warning: the secret `TOKEN` was left empty; add --include-secrets to export it");
    let back = operator.run(&["app", "import", "-", "--workspace", "Lab"], &exported.replace("s3cret", "''"));
    assert!(back.status.success(), "{back:?}");
    let printed = String::from_utf8(back.stderr).unwrap();
    let warning = "warning: workflow.environment_variables[0].value (line 15): the secret `TOKEN` is empty";
    assert_eq!(printed.lines().next(), Some(warning));

    // A name that two apps share needs an id.
    operator.run_successfully(&["app", "import", "-", "--workspace", "Lab", "--new"], &exported);
    assert_eq!(operator.run_successfully(&["app", "list", "--workspace", "Lab", "--quiet"], "").lines().count(), 2);
    for arguments in [&["app", "export", "Shouter"][..], &import] {
        let (line, code) = operator.run_with_error(arguments, "");
        let line = line.to_lowercase();
        assert!(line.contains("several apps") && line.contains(" id") && code == Some(4), "{code:?} {line}");
    }
}

#[test]
fn rejected_import_names_the_line_and_stores_nothing() {
    let operator = Operator::new();
    let import = ["app", "import", "-", "--workspace", "Lab"];
    let dangling = APP.replace("target: b", "target: c");
    let (line, code) = operator.run_with_error(&import, &dangling);
    assert_eq!(line, "error: standard input: workflow.graph.edges[0].target (line 14): there is no node `c`\n");
    assert_eq!(code, Some(2));
    for (arguments, input, word, expected) in [
        (&import[..], "a: [", "line", 2),
        (&["app", "import", "nowhere.yml", "--workspace", "Lab"], "", "nowhere.yml cannot be read", 3),
        (&["app", "import", "-", "--workspace", "Elsewhere"], APP, "`dify-openapi workspace list` lists them", 3),
        (&["app", "export", "Shouter"], "", "`dify-openapi app list` lists them", 3),
        (&["app", "export", "7f000001-0000-4000-8000-000000000000"], "", "no such app", 3),
    ] {
        let (line, code) = operator.run_with_error(arguments, input);
        assert!(line.contains(word) && code == Some(expected), "{arguments:?}: {code:?} {line}");
    }
    assert_eq!(operator.run_successfully(&["app", "list", "--workspace", "Lab"], ""), "There are no apps.\n");
}

#[test]
fn unsupported_node_type_is_imported_with_a_warning() {
    let operator = Operator::new();
    let output = operator.run(&["app", "import", "-", "--workspace", "Lab"], &APP.replace("type: end", "type: code"));
    assert!(output.status.success(), "{output:?}");
    let warning = String::from_utf8(output.stderr).unwrap();
    assert!(
        warning.starts_with("warning: workflow.graph.nodes[1] (line 12): the node type `code` of \"End\""),
        "{warning}"
    );
}

#[test]
fn check_reports_what_will_not_run_without_importing() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (good, bad) = (file("good.yml", APP), file("bad.yml", &APP.replace("type: end", "type: code")));
    let check = |files: &[&str]| run_command([("PATH", "")], &[&["app", "check"], files].concat(), "");
    let output = check(&[&good]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{good}: will run\n"));

    let output = check(&[&good, &bad]);
    assert_eq!(output.status.code(), Some(1));
    let lines = String::from_utf8(output.stdout).unwrap();
    let expected = format!(
        "{good}: will run\n{bad}: will not run\n  workflow.graph.nodes[1] (line 12): the node type `code` of \"End\" is not \
         supported here; every run will be refused\n"
    );
    assert_eq!(lines, expected);
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "error: 1 of 2 files will not run here\n");
}

#[test]
fn tools_of_plugins_need_a_plugin_daemon() {
    let tool = "type: tool, provider_id: acme/mail/mail, provider_type: builtin, tool_name: send";
    let with_tool = APP.replace("type: end", tool);
    let check = |text: &str, url: &str| {
        let output = run_command([("PATH", ""), ("PLUGIN_DAEMON_URL", url)], &["app", "check", "-"], text);
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    };
    let refusal = "workflow.graph.nodes[1] (line 12): the node type `tool` of \"End\" with `send` needs a plugin daemon; set \
                   PLUGIN_DAEMON_URL and PLUGIN_DAEMON_KEY; every run will be refused\n";
    assert_eq!(check(&with_tool, ""), (false, format!("standard input: will not run\n  {refusal}")));
    assert_eq!(check(&with_tool, "http://daemon.internal:5002"), (true, "standard input: will run\n".to_owned()));
    let of_api = with_tool.replace("provider_type: builtin", "provider_type: api");
    let (runs, lines) = check(&of_api, "http://daemon.internal:5002");
    assert!(!runs && lines.contains("with `send` of a provider of the type `api` is not supported here"), "{lines}");
    let operator = Operator::new();
    let output = operator.run(&["app", "import", "-", "--workspace", "Lab"], &with_tool);
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8(output.stderr).unwrap().starts_with(&format!("warning: {refusal}")));
}
