//! Runs the completion scripts in bash and fish.

use std::{
    io,
    path::Path,
    process::{Command, Output},
};

use clap_complete::Shell;

use crate::cli::shell;

/// The text up to the cursor, and words that must be among the completions.
const TYPED: [(&str, &[&str]); 8] = [
    ("", &["dev", "serve", "token"]),
    ("tok", &["token"]),
    ("token ", &["list", "revoke"]),
    ("token revoke --", &["--id", "--account", "--client", "--since"]),
    ("account set-", &["set-password"]),
    ("workspace add-member --", &["--role"]),
    ("workspace add-member --role ", &["admin", "dataset_operator"]),
    ("completions ", &["bash", "fish", "zsh"]),
];

/// Calls the registered function as bash does: with the word at the cursor and the word before it.
const BASH: &str = r#"
source "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
registered=$(complete -p dify-openapi)
[[ $registered =~ -F\ ([^ ]+) ]] || exit 3
"${BASH_REMATCH[1]}" dify-openapi "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\n' "${COMPREPLY[@]}"
"#;

fn script(shell: Shell, directory: &Path) -> std::path::PathBuf {
    let path = directory.join(shell.to_string());
    let mut file = std::fs::File::create(&path).unwrap();
    shell::completions(shell, &mut file).unwrap();
    path
}

/// The program's output; `None` if it is not installed.
fn run(command: &mut Command) -> Option<Output> {
    match command.env("LC_ALL", "C").output() {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
            eprintln!("{} is not installed: its completions were not tried", command.get_program().display());
            None
        }
        output => Some(output.unwrap()),
    }
}

fn offers_all(typed: &str, output: &Output, words: &[&str]) {
    let offered = String::from_utf8_lossy(&output.stdout);
    let offered: Vec<&str> = offered.lines().filter_map(|line| line.split_whitespace().next()).collect();
    for word in words {
        assert!(offered.contains(word), "`{typed}` does not offer {word}: {output:?}");
    }
}

#[test]
fn bash_completes_subcommands_and_options() {
    let directory = tempfile::tempdir().unwrap();
    let script = script(Shell::Bash, directory.path());
    for (typed, words) in TYPED {
        let mut bash = Command::new("bash");
        bash.args(["--norc", "-c", BASH, "bash"]).arg(&script).arg("dify-openapi").args(typed.split(' '));
        offers_all(typed, &run(&mut bash).expect("the tests require bash"), words);
    }
}

#[test]
fn fish_completes_subcommands_and_options() {
    let directory = tempfile::tempdir().unwrap();
    let script = script(Shell::Fish, directory.path());
    // The fish script does not complete the values of positional arguments.
    for (typed, words) in TYPED.into_iter().filter(|(typed, _)| *typed != "completions ") {
        let mut fish = Command::new("fish");
        fish.args(["--no-config", "-c", "source $argv[1]; complete -C $argv[2]"]);
        let Some(output) = run(fish.arg(&script).arg(format!("dify-openapi {typed}"))) else { return };
        offers_all(typed, &output, words);
    }
}
