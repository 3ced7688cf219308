//! The program at a terminal and in a pipe: database errors, password prompts, and commands on the data directory of
//! `dev`.

use std::{
    ffi::OsStr,
    io::{Read as _, Write as _},
    path::Path,
    process::{Command, Output, Stdio},
    sync::mpsc,
    time::Duration,
};

use crate::support::{
    command::{run_command, succeeded},
    dev_server::DevServer,
    process::{self, Process},
};

/// The time limit of operations that are immediate.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Runs `account list` on a database.
fn list_accounts(database: &str) -> Output {
    let environment = [
        ("DATABASE_URL", database),
        ("SECRET_KEY", "a-key-for-the-tests-of-the-command-line"),
        ("CONSOLE_WEB_URL", "https://dify.example.com"),
        ("SINGLE_REPLICA", "true"),
        ("DATA_DIR", "/nowhere"),
    ];
    run_command(environment, &["account", "list"], "")
}

#[test]
fn database_errors_suggest_a_fix_and_hide_passwords() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name);
    std::fs::write(file("letter.txt"), "Dear Ada,\n".repeat(500)).unwrap();
    let sqlite = |name: &str| format!("sqlite://{}?mode=rwc", file(name).display());
    let mut faults = vec![
        (sqlite("new.db"), "run `dify-openapi migrate up`", 1),
        (sqlite("no/such/directory.db"), "cannot be opened", 1),
        (sqlite("letter.txt"), "cannot be opened as a database", 1),
        ("postgres://dify:hunter2@127.0.0.1:1/dify".to_owned(), "check DATABASE_URL (or DB_HOST", 6),
        ("mysql://dify:hunter2@nowhere.invalid/dify".to_owned(), "correct DATABASE_URL (or DB_HOST)", 6),
    ];
    for (variable, user) in [("TEST_POSTGRES_URL", "postgres@"), ("TEST_MYSQL_URL", "root@")] {
        let Ok(server) = std::env::var(variable) else {
            eprintln!("no {variable}: tests/run without --quick sets it");
            continue;
        };
        let (base, _) = server.rsplit_once('/').unwrap();
        faults.push((
            format!("{base}/hunter2_is_no_database"),
            "create it, or correct DATABASE_URL (or DB_DATABASE)",
            1,
        ));
        faults.push((server.replace(user, "stranger:hunter2@"), "(or DB_USERNAME and DB_PASSWORD)", 1));
        faults.push((server, "run `dify-openapi migrate up`", 1));
    }
    for (database, fix, code) in faults {
        let output = list_accounts(&database);
        let line = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(code) && output.stdout.is_empty(), "{database}: {output:?}");
        assert!(line.starts_with("error: ") && line.trim_end().lines().count() == 1, "{database}: {line}");
        assert!(line.contains(fix), "{database}: {line}");
        assert!(!line.contains("hunter2"), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_work_on_the_data_directory_of_dev() {
    let data = tempfile::tempdir().unwrap();
    let mut server = DevServer::start(data.path());
    let environment = |more: &[(&'static str, &'static str)]| {
        let mut environment = vec![("DATA_DIR", data.path().as_os_str())];
        environment.extend(more.iter().map(|&(name, value)| (name, OsStr::new(value))));
        environment
    };
    let (printed, stderr) = succeeded(run_command(environment(&[]), &["account", "list"], ""));
    assert!(printed.contains("demo@example.com") && stderr.is_empty(), "{printed}{stderr}");
    let (printed, _) = succeeded(run_command(environment(&[]), &["app", "list"], ""));
    assert!(printed.lines().any(|line| line.contains(" Parrot ") && line.ends_with("Demo Workspace")), "{printed}");

    // Only the key is read from the data directory, and no server starts with it.
    process::terminate(&server.process.0);
    assert!(process::wait_for_exit(&mut server.process.0).is_some_and(|status| status.success()));
    let elsewhere = environment(&[("DATABASE_URL", "sqlite:///elsewhere/dify.db")]);
    for (environment, arguments) in
        [(environment(&[]), &["serve"][..]), (environment(&[]), &["check-config"]), (elsewhere, &["account", "list"])]
    {
        let output = run_command(environment, arguments, "");
        let line = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        assert!(line.contains("SECRET_KEY is not set") && line.contains("CONSOLE_WEB_URL is not set"), "{line}");
    }
}

#[test]
fn closed_output_pipe_is_not_an_error() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_dify-openapi"));
    let program = program.arg("openapi").env_clear().stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut program = program.spawn().unwrap();
    // A pipe holds less than the document, so the program still writes after the pipe closes.
    drop(program.stdout.take());
    let output = program.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

/// The program at a pseudo-terminal created by `script`.
struct Terminal {
    process: Process,
    screen: mpsc::Receiver<Vec<u8>>,
    shown: String,
}

impl Terminal {
    fn run(data: &Path, arguments: &str) -> Self {
        // The shell between `script` and the program survives ^C.
        let line = format!("trap : INT; {} {arguments}", env!("CARGO_BIN_EXE_dify-openapi"));
        let mut script = Command::new("script")
            .args(["-qefc", &line, "/dev/null"])
            .envs(environment_of(data))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = script.stdout.take().unwrap();
        let (sender, screen) = mpsc::channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 1_024];
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                if sender.send(bytes[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self { process: Process(script), screen, shown: String::new() }
    }

    /// Types a line after the question appears.
    fn answer(&mut self, question: &str, line: &str) {
        while !self.shown.contains(question) {
            let more = self.screen.recv_timeout(TIMEOUT);
            self.shown.push_str(&String::from_utf8_lossy(&more.unwrap_or_else(|_| panic!("{}", self.shown))));
        }
        self.process.0.stdin.as_mut().unwrap().write_all(line.as_bytes()).unwrap();
    }

    /// Waits for the end and returns the exit code and the whole output.
    fn end(mut self) -> (Option<i32>, String) {
        while let Ok(more) = self.screen.recv_timeout(TIMEOUT) {
            self.shown.push_str(&String::from_utf8_lossy(&more));
        }
        let status = process::wait_for_exit(&mut self.process.0);
        (status.and_then(|status| status.code()), self.shown)
    }
}

fn environment_of(data: &Path) -> [(&'static str, String); 3] {
    [
        ("DATA_DIR", data.display().to_string()),
        ("SECRET_KEY", "a-key-for-the-tests-of-the-command-line".to_owned()),
        ("CONSOLE_WEB_URL", "https://dify.example.com".to_owned()),
    ]
}

#[test]
fn terminal_password_prompt_repeats_and_hides_the_password() {
    const CREATE: &str = "account create ada@example.com";
    let data = tempfile::tempdir().unwrap();
    succeeded(run_command(environment_of(data.path()), &["migrate", "up"], ""));
    let typed = |arguments: &str, one: &str, other: &str| {
        let mut terminal = Terminal::run(data.path(), arguments);
        terminal.answer("Password for ada@example.com: ", one);
        terminal.answer("The same password again: ", other);
        terminal.end()
    };
    let (code, shown) = typed(CREATE, "an unseen password\n", "another password\n");
    assert!(code == Some(2) && shown.contains("error: the two passwords differ"), "{shown}");
    let (code, shown) = typed(CREATE, "\n", "\n");
    assert!(code == Some(2) && shown.contains("error: no password was typed"), "{shown}");
    // ^C ends the command and turns the echo of the terminal on again.
    let interrupted = format!("{CREATE}; stty -a");
    let mut terminal = Terminal::run(data.path(), &interrupted);
    terminal.answer("Password for ada@example.com: ", "half\u{3}");
    let (_, shown) = terminal.end();
    assert!(shown.contains("error: interrupted") && shown.contains(" echo "), "{shown}");

    let listed = succeeded(run_command(environment_of(data.path()), &["account", "list"], "")).0;
    assert_eq!(listed, "There are no accounts.\n");
    let (code, shown) = typed(CREATE, "an unseen password\n", "an unseen password\n");
    assert!(code == Some(0) && !shown.contains("unseen"), "{shown}");
    let (code, shown) = typed("account set-password ada@example.com", "a new unseen one\n", "a new unseen one\n");
    assert!(code == Some(0) && !shown.contains("unseen"), "{shown}");
    let mut terminal = Terminal::run(data.path(), "account set-password nobody@example.com");
    terminal.answer("no account `nobody@example.com`", "");
    assert_eq!(terminal.end().0, Some(3));
}

#[test]
fn destructive_command_asks_on_a_terminal() {
    const QUESTION: &str = "1 change will be reverted, and the data in their tables is lost";
    let data = tempfile::tempdir().unwrap();
    succeeded(run_command(environment_of(data.path()), &["migrate", "up"], ""));
    for (typed, code, shown) in [("\n", 5, "nothing was changed"), ("yes\n", 0, "1 change reverted")] {
        let mut terminal = Terminal::run(data.path(), "migrate down");
        terminal.answer("Continue? [y/N] ", typed);
        let (ended, screen) = terminal.end();
        assert!(ended == Some(code) && screen.contains(QUESTION) && screen.contains(shown), "{screen}");
    }
}
