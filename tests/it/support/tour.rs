//! A program that signs in, lists the apps of a workspace, and runs one: an example, or one with a generated client.

use std::{
    ffi::OsString,
    io::{BufRead as _, BufReader, Read as _},
    path::PathBuf,
    process::{Command, Stdio},
};

use tempfile::TempDir;

use super::{
    Bearer, Browser, Stores, TestServer, apps,
    process::Process,
    server::{MEMBER, OWNER},
};

/// A built program. Its arguments are the server's URL, an app and a query; its token is in `DIFY_TOKEN`.
pub struct Tour {
    pub program: PathBuf,
    pub arguments: Vec<OsString>,
    /// Holds what was generated, also as packages of Python.
    pub directory: TempDir,
}

/// What every program prints after the sign-in.
const PRINTED: &str = "Signed in as demo@example.com
chat: Parrot
completion: Translator
agent-chat: Detective
advanced-chat: Concierge
workflow: Greeting
You said: it streams
";

impl Tour {
    pub fn new(program: impl Into<PathBuf>, arguments: &[PathBuf], directory: TempDir) -> Self {
        let arguments = arguments.iter().map(|argument| argument.clone().into()).collect();
        Self { program: program.into(), arguments, directory }
    }

    fn command(&self, server: &TestServer, app: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).args([&server.url, app, "it streams"]);
        command.env("PYTHONPATH", self.directory.path()).env_remove("DIFY_TOKEN");
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Exit code, standard output and standard error of a program with this token.
    fn run(&self, server: &TestServer, app: &str, token: &str) -> (Option<i32>, String, String) {
        let mut command = self.command(server, app);
        // The server runs in this process and must continue.
        let output = tokio::task::block_in_place(|| command.env("DIFY_TOKEN", token).output()).unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    }

    /// Runs the program with a token: on an app, and on one that does not exist.
    pub async fn assert_runs_with_token(&self, server: &TestServer, reason_and_hint: &str) {
        let bearer = Bearer::sign_in(server, OWNER, "laptop").await;
        let ran = self.run(server, "Parrot", &bearer.token);
        assert_eq!(ran, (Some(0), PRINTED.to_owned(), String::new()));
        let (code, _, error) = self.run(server, "Nobody", &bearer.token);
        assert_eq!((code, error.trim_end()), (Some(1), reason_and_hint));
    }

    /// Runs the program without a token, and approves its code.
    pub async fn assert_signs_in(&self, server: &TestServer) {
        let mut process = self.command(server, "Parrot").spawn().unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut process = Process(process);
        let mut line = String::new();
        tokio::task::block_in_place(|| output.read_line(&mut line)).unwrap();
        let words: Vec<_> = line.split_whitespace().collect();
        let &["Open", page, "and", "enter", code] = words.as_slice() else { panic!("{line}") };
        assert!(page.ends_with("/device"), "{page}");
        assert_eq!(Browser::signed_in(server, OWNER).await.approve(code).await.0, 200);
        let mut rest = String::new();
        tokio::task::block_in_place(|| output.read_to_string(&mut rest)).unwrap();
        assert!(process.0.wait().unwrap().success());
        assert_eq!(rest, PRINTED);
    }

    /// Runs the program without a token, and denies its code.
    pub async fn assert_reports_denial(&self, server: &TestServer) {
        let mut process = self.command(server, "Parrot").spawn().unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut errors = process.stderr.take().unwrap();
        let mut process = Process(process);
        let mut line = String::new();
        tokio::task::block_in_place(|| output.read_line(&mut line)).unwrap();
        let code = line.split_whitespace().last().unwrap();
        assert_eq!(Browser::signed_in(server, MEMBER).await.deny(code).await.0, 200);
        let mut error = String::new();
        tokio::task::block_in_place(|| errors.read_to_string(&mut error)).unwrap();
        assert!(error.starts_with("ACCESS_DENIED: "), "{error}");
        assert_eq!(process.0.wait().unwrap().code(), Some(1));
    }
}

/// A server with the demo apps.
pub async fn server_with_apps() -> TestServer {
    let server = TestServer::start(Stores::Sqlite).await;
    apps::import_demo(&server).await;
    server
}
