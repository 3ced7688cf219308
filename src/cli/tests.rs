use std::{ffi::OsString, io::Cursor};

use chrono::DateTime;
use clap::{CommandFactory as _, Parser as _};

use super::{
    arguments::{Cli, Command},
    check_config, demo, dev,
    error::CommandError,
    exit_code::CommandErrorKind,
    input_file::InputFile,
    password, shell, token, usage,
};
use crate::{
    config::{Config, settings::SETTINGS},
    domain::session::RevokeSelection,
};

mod closed_pipes;
mod completions;

fn typed(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split(' '))
}

/// The sentence for a wrong command line; `None` for help and the version.
fn usage_error(line: &str) -> Option<String> {
    let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
    usage::sentence(&typed(line).unwrap_err(), &words)
}

#[test]
fn definitions_pass_the_checks_of_clap() {
    Cli::command().debug_assert();
}

#[test]
fn wrong_command_line_gives_one_sentence_with_the_fix() {
    for (line, word) in [
        ("dify-openapi", "--help"),
        ("dify-openapi token", "--help"),
        ("dify-openapi serf", "unrecognized"),
        ("dify-openapi dev --listen somewhere", "127.0.0.1:5001"),
        ("dify-openapi token revoke", "--since"),
        ("dify-openapi token revoke --id x", "--id"),
        ("dify-openapi token revoke --client a --account b", "cannot be used with"),
        ("dify-openapi token revoke --since yesterday", "90m, 2h or 3d"),
        ("dify-openapi account create", "<EMAIL>"),
        ("dify-openapi account create ada@example.com --name \u{2800}", "visible character"),
        ("dify-openapi workspace create a\u{202e}b --owner ada@example.com", "text-direction"),
        ("dify-openapi app", "--help"),
        ("dify-openapi app import x.yml", "--workspace"),
        ("dify-openapi app import x.yml --workspace w --app Greeting", "--app"),
        (
            "dify-openapi app import x.yml --workspace w --new --app 7f000001-0000-4000-8000-000000000000",
            "cannot be used with",
        ),
        ("dify-openapi app export", "<APP>"),
        ("dify-openapi app access-mode", "--help"),
        ("dify-openapi app access-mode set Greeting", "<MODE>"),
        ("dify-openapi app access-mode set Greeting internal", "private_all"),
    ] {
        let sentence = usage_error(line).unwrap();
        assert!(
            sentence.contains(word) && !sentence.contains('\n') && sentence.contains("--help"),
            "{line}: {sentence}"
        );
    }
    assert!(usage_error("dify-openapi --help").is_none() && usage_error("dify-openapi --version").is_none());
}

#[test]
fn misspelt_word_gives_a_suggestion_and_the_help_to_read() {
    for (line, suggestion, help) in [
        ("dify-openapi tokens", "(did you mean `token`?)", "`dify-openapi --help`"),
        ("dify-openapi token revok --since 2h", "(did you mean `revoke`?)", "`dify-openapi token --help`"),
        ("dify-openapi dev --frsh", "(did you mean `--fresh`?)", "`dify-openapi dev --help`"),
        ("dify-openapi --fresh dev", "(did you mean `dev --fresh`?)", "`dify-openapi --help`"),
        ("dify-openapi completions bsh", "(did you mean `bash`?)", "`dify-openapi completions --help`"),
        ("dify-openapi dev --listen somewhere", "127.0.0.1:5001", "`dify-openapi dev --help`"),
        ("dify-openapi token revoke --id x", "'x'", "`dify-openapi token revoke --help`"),
        ("dify-openapi account", "no command", "`dify-openapi account --help`"),
        ("dify-openapi xyzzy", "'xyzzy'", "`dify-openapi --help`"),
    ] {
        let sentence = usage_error(line).unwrap();
        assert!(sentence.contains(suggestion) && sentence.contains(help), "{line}: {sentence}");
    }
    assert!(!usage_error("dify-openapi xyzzy").unwrap().contains("did you mean"));
}

#[test]
fn dev_accepts_localhost_and_ipv6_and_rejects_incomplete_addresses() {
    let listen = |text: &str| match typed(&format!("dify-openapi dev --listen {text}")).unwrap().command {
        Command::Dev(args) => args.listen.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(listen("localhost:5001"), "127.0.0.1:5001");
    assert_eq!(listen("[::1]:0"), "[::1]:0");
    for text in ["localhost", "5001", "my-laptop:5001", "localhost:65536", "127.0.0.1"] {
        let sentence = usage_error(&format!("dify-openapi dev --listen {text}")).unwrap();
        assert!(sentence.contains("write an address and a port like 127.0.0.1:5001"), "{sentence}");
    }
}

#[test]
fn start_screen_fits_a_terminal_and_names_both_accounts() {
    let screen = dev::start_screen("http://127.0.0.1:65535");
    for line in screen.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    assert!(screen.lines().count() <= 24, "{screen}");
    for email in [demo::DEMO, demo::MEMBER] {
        assert!(screen.contains(&format!("{email} / {}", demo::PASSWORD)), "{screen}");
    }
}

#[test]
fn each_selection_option_becomes_its_selection() {
    let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    let selected = |line: &str| match typed(line).unwrap().command {
        Command::Token { command: token::TokenCommand::Revoke { selection, .. } } => selection.resolve(now).unwrap(),
        other => panic!("{other:?}"),
    };
    let since = |line: &str| match selected(line) {
        RevokeSelection::Since(time) => time.to_rfc3339(),
        other => panic!("{other:?}"),
    };
    assert!(matches!(selected("x token revoke --client difyctl"), RevokeSelection::Client(id) if id == "difyctl"));
    assert!(matches!(selected("x token revoke --account a@b.c"), RevokeSelection::Account(email) if email == "a@b.c"));
    assert_eq!(since("x token revoke --since 2026-11-20T10:00:00+02:00"), "2026-11-20T08:00:00+00:00");
    assert_eq!(since("x token revoke --since 2026-11-20"), "2026-11-20T00:00:00+00:00");
    assert_eq!(since("x token revoke --since 2h"), (now - chrono::TimeDelta::hours(2)).to_rfc3339());
}

#[test]
fn password_is_the_first_line() {
    let read = |text: &str| password::read(&mut Cursor::new(text.as_bytes().to_vec()));
    assert_eq!(read("pass word \r\nmore").unwrap().expose(), "pass word ");
    assert!(read("\n").unwrap_err().to_string().contains("standard input"));
}

#[test]
fn check_config_prints_the_configuration_or_every_problem() {
    let env = |name: &str| match name {
        "SECRET_KEY" => Some("geheim-q8Zr1vYwT0m5uJx3nKc7bPd9sLf2".to_owned()),
        "CONSOLE_WEB_URL" => Some("http://dify.example.com".to_owned()),
        "DATA_DIR" => Some("/srv/dify".to_owned()),
        _ => None,
    };
    let mut out = Vec::new();
    check_config::print(&Config::for_serve(&env).unwrap(), &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(
        text.contains("CONSOLE_WEB_URL=http://dify.example.com\n") && text.contains("OAUTH_TTL_DAYS=14\n"),
        "{text}"
    );
    assert!(text.contains("warning: CONSOLE_WEB_URL") && !text.contains("geheim"), "{text}");

    let error = CommandError::from(Config::for_serve(&|_| None).unwrap_err());
    assert_eq!(error.kind, CommandErrorKind::Usage);
    let text = error.to_string();
    assert!(text.contains("SECRET_KEY is not set") && text.contains("CONSOLE_WEB_URL is not set"), "{text}");
}

#[test]
fn completion_scripts_contain_every_command() {
    use clap::ValueEnum as _;
    let names: Vec<_> = Cli::command().get_subcommands().map(|command| command.get_name().to_owned()).collect();
    assert!(names.len() > 8, "{names:?}");
    for shell in clap_complete::Shell::value_variants() {
        let mut script = Vec::new();
        shell::completions(*shell, &mut script).unwrap();
        let script = String::from_utf8(script).unwrap();
        for name in names.iter().map(String::as_str).chain(["--fresh", "set-password"]) {
            // Some shells' scripts have options without their hyphens.
            assert!(script.contains(name.trim_start_matches('-')), "{shell} does not know {name}");
        }
    }
    let sentence = usage_error("dify-openapi completions csh").unwrap();
    assert!(sentence.contains("bash") && sentence.contains("zsh"), "{sentence}");
}

#[test]
fn manual_page_has_every_command_with_its_examples() {
    let mut page = Vec::new();
    shell::man(&mut page).unwrap();
    let page = String::from_utf8(page).unwrap().replace('\\', "");
    assert!(page.contains(".TH dify-openapi 1"), "{page:.300}");
    let leaves = leaves();
    for command in &leaves {
        let name = command.get_bin_name().unwrap();
        assert_eq!(page.matches(&format!(".SH \"{name}\"\n")).count(), 1, "{name}");
    }
    for option in ["--listen", "--fresh", "--since", "--include-secrets", "--role"] {
        assert!(page.contains(option), "{option}");
    }
    // One section for the program and one for each command.
    assert_eq!(page.matches("Example").count(), leaves.len() + 1, "{page}");
    assert!(!page.contains("(1)"), "refers to another page: {page}");
}

#[test]
fn manual_page_has_exit_codes_environment_and_files() {
    let mut page = Vec::new();
    shell::man(&mut page).unwrap();
    let page = String::from_utf8(page).unwrap();
    let sections = [".SH \"EXIT STATUS\"\n", ".SH \"ENVIRONMENT\"\n", ".SH \"FILES\"\n", ".SH EXAMPLES\n"];
    let places = sections.map(|heading| page.find(heading).unwrap_or_else(|| panic!("{heading}")));
    assert!(places.is_sorted(), "{places:?}");
    for kind in CommandErrorKind::ALL {
        assert!(page.contains(&format!(".TP\n\\fB{}\\fR\n", kind.exit_code())), "{kind:?}");
    }
    for setting in SETTINGS {
        assert!(page.contains(&format!(".TP\n\\fB{setting}\\fR\n\\&")), "{setting}");
    }
    let environment = &page[places[1]..places[3]];
    assert!(!environment.contains('`') && !environment.contains("\n'"), "{environment}");
    assert!(environment.contains("\\fB$DATA_DIR/dify\\-openapi.db\\fR"), "{environment}");
}

#[test]
fn manual_page_prints_examples_exactly_as_typed() {
    let mut page = Vec::new();
    shell::man(&mut page).unwrap();
    let page = String::from_utf8(page).unwrap();
    // No hyphenation and no justification.
    assert!(page.contains("\n.nh\n.ad l\n"), "{page:.300}");
    let unfilled: Vec<String> = page
        .split("\n.nf\n")
        .skip(1)
        .map(|rest| {
            rest.split("\n.fi").next().unwrap().replace("\\-", "-").replace("\\*(Aq", "'").replace("\\\\", "\\")
        })
        .collect();
    let mut commands = leaves();
    commands.push(Cli::command());
    assert_eq!(unfilled.len(), commands.len());
    for command in commands {
        let help = command.get_after_help().unwrap().to_string();
        let examples = help.split("\n\n").next().unwrap();
        assert!(unfilled.iter().any(|lines| lines == examples), "{examples}\nis not among {unfilled:?}");
    }
}

/// Commands without subcommands, with full names.
fn leaves() -> Vec<clap::Command> {
    commands().into_iter().filter(|command| !command.has_subcommands()).collect()
}

/// All commands below the program, with full names.
fn commands() -> Vec<clap::Command> {
    fn collect(parent: &clap::Command, commands: &mut Vec<clap::Command>) {
        for command in parent.get_subcommands() {
            commands.push(command.clone());
            collect(command, commands);
        }
    }
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    let mut commands = Vec::new();
    collect(&program, &mut commands);
    commands
}

#[test]
fn help_of_every_command_has_an_example_that_parses() {
    let commands = commands();
    assert!(commands.len() > 23, "{}", commands.len());
    for mut command in commands {
        let name = command.get_bin_name().unwrap().to_owned();
        let help = command.render_help().to_string();
        let (_, examples) = help.split_once("\nExample").unwrap_or_else(|| panic!("{name}: {help}"));
        assert!(examples.contains(&name), "{name}: {examples}");
        for line in examples.lines().filter(|line| line.starts_with("  dify-openapi ")) {
            // Without shell operators and without the explanation behind the command.
            let typed_line = line.trim().split(" && ").next().unwrap().split(['>', '<', '|']).next().unwrap();
            let typed_line = typed_line.split("   ").next().unwrap().replace("5b0c…", &uuid::Uuid::nil().to_string());
            let words = typed_line.replace("'Demo Workspace'", "Demo");
            assert!(typed(words.trim()).is_ok(), "{name}: {words}");
        }
    }
}

#[test]
fn dev_rejects_non_loopback_addresses_before_it_creates_files() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let args = dev::DevArgs { listen: "0.0.0.0:5001".parse().unwrap(), data: Some(data.clone()), fresh: true };
    assert!(dev::prepare(&args, &|_| None).unwrap_err().to_string().contains("loopback only"));
    assert!(!data.exists());

    let args = dev::DevArgs { listen: "127.0.0.1:0".parse().unwrap(), ..args };
    let prepared = dev::prepare(&args, &|_| None).unwrap();
    let key = prepared.config.secrets.secret_key.expose().to_owned();
    assert!(dev::prepare(&args, &|_| None).unwrap_err().to_string().contains("in use"));
    drop(prepared);
    let fresh = dev::prepare(&args, &|_| None).unwrap();
    assert_ne!(fresh.config.secrets.secret_key.expose(), key);
}

#[test]
fn input_file_is_read_up_to_the_limit_and_errors_name_it() {
    use std::str::FromStr as _;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.yml");
    let source = InputFile::from_str(path.to_str().unwrap()).unwrap();
    assert!(source.read().unwrap_err().to_string().contains("app.yml cannot be read"));
    std::fs::write(&path, b"a: \xff").unwrap();
    assert!(source.read().unwrap_err().to_string().contains("not UTF-8"));
    std::fs::write(&path, vec![b'a'; crate::dsl::LONGEST + 1_000]).unwrap();
    assert_eq!(source.read().unwrap().len(), crate::dsl::LONGEST + 1);
    assert_eq!(InputFile::from_str("-").unwrap(), InputFile::StandardInput);
}
