//! Readiness is the ability to work: the database accepts writes, Redis accepts the commands.

use std::{collections::BTreeSet, fs, io::Write as _, path::Path, process::Command};

use crate::support::{
    Answer, Bearer, Browser, Stores, TestServer,
    database::scalar,
    logs::Logs,
    namespace::{Namespace, run},
    postgres_process::PostgresProcess,
    redis_process::RedisProcess,
    server::{OWNER, PASSWORD, no_limits},
};

async fn ready(server: &TestServer) -> Answer {
    Answer::to(reqwest::Client::new().get(server.admin("/readyz"))).await
}

async fn metrics(server: &TestServer) -> String {
    Answer::to(reqwest::Client::new().get(server.admin("/metrics"))).await.text
}

/// The value of a series.
fn value<'a>(metrics: &'a str, name: &str, label: &str) -> Option<&'a str> {
    let line = metrics.lines().find(|line| line.starts_with(&format!("{name}{{")) && line.contains(label))?;
    line.rsplit(' ').next()
}

#[tokio::test(flavor = "multi_thread")]
async fn database_without_writes_is_not_ready_and_answers_503() {
    let Some(postgres) = PostgresProcess::start().await else { return };
    let url = format!("postgres://postgres@127.0.0.1:{}/postgres", postgres.port);
    let Some(Stores::Servers { redis, prefix, .. }) = Stores::servers().await else { return };
    let server = TestServer::start_with(Stores::Servers { database: url.clone(), redis, prefix }, &[]).await;
    assert_eq!(ready(&server).await.status, 200);
    assert_eq!(value(&metrics(&server).await, "openapi_ready_checks", "check=\"sql\""), Some("1"));

    let reload = "SELECT CASE WHEN pg_reload_conf() THEN 'yes' ELSE 'no' END";
    set_read_only(&url, "on").await;
    assert_eq!(scalar(&url, reload).await, "yes");
    let mut answer = ready(&server).await;
    for _ in 0..100 {
        if answer.status == 503 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        answer = ready(&server).await;
    }
    assert_eq!(answer.status, 503, "{}", answer.text);
    assert!(answer.text.contains(r#"{"name":"sql","health":"failed"}"#), "{}", answer.text);
    let metrics_now = metrics(&server).await;
    assert_eq!(value(&metrics_now, "openapi_ready_checks", "check=\"sql\""), Some("0"));
    assert_eq!(value(&metrics_now, "openapi_ready", ""), Some("0"));
    let login = Browser::anonymous(&server).login(OWNER, PASSWORD).await;
    assert_eq!(login.status, 503, "{}", login.text);

    set_read_only(&url, "off").await;
    assert_eq!(scalar(&url, reload).await, "yes");
    for _ in 0..100 {
        if ready(&server).await.status == 200 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(ready(&server).await.status, 200);
}

/// A SQLite on a disk of 16 MiB that is full.
#[tokio::test(flavor = "multi_thread")]
async fn full_disk_is_503_until_it_has_space() {
    let repeats = Namespace::Mounts.repeats("readiness::full_disk_is_503_until_it_has_space");
    if repeats || !Namespace::Mounts.is_here() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    run(Command::new("mount").args(["-t", "tmpfs", "-o", "size=16m", "tmpfs"]).arg(directory.path()));
    let url = format!("sqlite://{}?mode=rwc", directory.path().join("test.db").display());
    let server =
        TestServer::start_with(Stores::Sqlite, &[("DATABASE_URL", &url), ("OPENAPI_RATE_LIMITS", &no_limits())]).await;
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    assert_eq!(ready(&server).await.status, 200);

    let filler = directory.path().join("filler");
    let mut file = fs::File::create(&filler).unwrap();
    while file.write_all(&[1; 4_096]).is_ok() {}
    let answer = ready(&server).await;
    assert_eq!(answer.status, 503, "{}", answer.text);
    assert!(answer.text.contains(r#"{"name":"sql","health":"failed"}"#), "{}", answer.text);
    // SQLite has some space in its log, in which the first sign-ins find room.
    let mut login = Browser::anonymous(&server).login(OWNER, PASSWORD).await;
    for _ in 0..1_000 {
        if login.status != 200 {
            break;
        }
        login = Browser::anonymous(&server).login(OWNER, PASSWORD).await;
    }
    assert_eq!(login.outcome(), (503, "service_unavailable".to_owned()), "{}", login.text);
    assert_eq!(bearer.get("/openapi/v1/account").await.0, 200);

    fs::remove_file(&filler).unwrap();
    drop(file);
    assert_eq!(ready(&server).await.status, 200);
    assert_eq!(Browser::anonymous(&server).login(OWNER, PASSWORD).await.status, 200);
    assert_eq!(bearer.delete("/openapi/v1/account/sessions/self").await.0, 200);
}

async fn set_read_only(url: &str, state: &str) {
    crate::support::database::execute_at(url, &format!("ALTER SYSTEM SET default_transaction_read_only = {state}"))
        .await;
}

/// The rights that `docs/operations.md` lists for the user of this service.
fn documented_rights() -> String {
    let document = fs::read_to_string("docs/operations.md").unwrap();
    let line = document.lines().find(|line| line.starts_with("ACL SETUSER openapi ")).unwrap();
    line.strip_prefix("ACL SETUSER openapi ").unwrap().to_owned()
}

/// A server whose user of Redis has the rights of `openapi` there.
async fn server_of_user(redis: &RedisProcess, variables: &[(&str, &str)]) -> Option<TestServer> {
    let Stores::Servers { database, .. } = Stores::servers().await? else { return None };
    let stores = Stores::Servers { database, redis: String::new(), prefix: "it".to_owned() };
    let port = redis.port.to_string();
    let own = [
        ("REDIS_HOST", "127.0.0.1"),
        ("REDIS_PORT", &*port),
        ("REDIS_USERNAME", "openapi"),
        ("REDIS_PASSWORD", "secret"),
    ];
    Some(TestServer::start_with(stores, &[&own, variables].concat()).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_that_refuses_a_command_is_named_and_keeps_a_new_process_from_being_ready() {
    let logs = Logs::capture();
    let rights = documented_rights().replace("~dify:*", "~it:*");
    let configuration = format!("user openapi {rights} -hsetnx");
    let Some(redis) = RedisProcess::start_with(&configuration).await else { return };
    let Some(server) = server_of_user(&redis, &[]).await else { return };
    let answer = ready(&server).await;
    assert_eq!(answer.status, 503, "{}", answer.text);
    assert!(answer.text.contains(r#"{"name":"state","health":"failed"}"#), "{}", answer.text);
    assert!(logs.lines().contains("Redis refuses the command HSETNX"), "the log names the command");

    let client = redis::Client::open(redis.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut change = async |rule: &str| {
        redis::cmd("ACL").arg("SETUSER").arg("openapi").arg(rule).query_async::<()>(&mut connection).await.unwrap();
    };
    change("+hsetnx").await;
    let answer = ready(&server).await;
    assert_eq!((answer.status, answer.text.contains("degraded")), (200, false), "{}", answer.text);
    assert_eq!(value(&metrics(&server).await, "openapi_ready_checks", "check=\"state\""), Some("1"));
    // A process that has worked continues with what needs no Redis.
    change("-llen").await;
    let answer = ready(&server).await;
    assert_eq!((answer.status, answer.text.contains("degraded")), (200, true), "{}", answer.text);
    assert_eq!(value(&metrics(&server).await, "openapi_ready_checks", "check=\"state\""), Some("0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn right_to_wait_for_replicas_is_needed_when_they_confirm_writes() {
    let document = fs::read_to_string("docs/operations.md").unwrap();
    assert!(document.contains("`REDIS_WAIT_REPLICAS` needs `+wait`"));
    let rights = documented_rights().replace("~dify:*", "~it:*");
    let configuration = format!("user openapi {rights}");
    let Some(redis) = RedisProcess::start_with(&configuration).await else { return };
    let Some(_replica) = RedisProcess::start_replica(redis.port).await else { return };
    let logs = Logs::capture();
    let Some(server) = server_of_user(&redis, &[("REDIS_WAIT_REPLICAS", "1")]).await else { return };
    assert_eq!(ready(&server).await.status, 503);
    assert!(logs.lines().contains("Redis refuses the command WAIT"), "the log names the command");
    assert_eq!(redis.ask("acl setuser openapi +wait").trim(), "OK");
    let answer = ready(&server).await;
    assert_eq!((answer.status, answer.text.contains("degraded")), (200, false), "{}", answer.text);
    let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
    assert_eq!(bearer.delete("/openapi/v1/account/sessions/self").await.0, 200);
}

/// The files below a directory whose name ends so.
fn files(directory: &Path, suffix: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, suffix));
        } else if path.to_string_lossy().ends_with(suffix) {
            found.push(fs::read_to_string(&path).unwrap());
        }
    }
    found
}

/// The words in capitals that follow a text, up to the quotation mark.
fn commands_after<'a>(code: &'a str, text: &str) -> impl Iterator<Item = &'a str> {
    let parts: Vec<_> = code.split(text).skip(1).collect();
    parts.into_iter().filter_map(|rest| rest.split(['\'', '"']).next())
}

#[test]
fn documented_rights_and_the_probe_have_every_command_of_the_code() {
    let state = Path::new("src/store/state");
    let scripts = files(state, ".lua");
    let mut used: BTreeSet<_> = scripts.iter().flat_map(|code| commands_after(code, "redis.call('")).collect();
    let code = files(state, "redis.rs");
    used.extend(code.iter().flat_map(|code| commands_after(code, "redis::cmd(\"")));
    assert!(used.len() > 15, "{used:?}");
    let probe = fs::read_to_string(state.join("redis/probe.lua")).unwrap();
    let probed: BTreeSet<_> = commands_after(&probe, "  {'").collect();
    assert_eq!(used.difference(&probed).collect::<Vec<_>>(), Vec::<&&str>::new(), "not in the probe");
    let rights = documented_rights();
    let granted: BTreeSet<_> =
        rights.split(' ').filter_map(|rule| rule.strip_prefix('+')).map(str::to_ascii_uppercase).collect();
    let missing: Vec<_> = used.iter().chain(&probed).filter(|command| !granted.contains(**command)).collect();
    assert!(missing.is_empty(), "docs/operations.md lacks {missing:?}");
    let further = ["EVAL", "EVALSHA", "HELLO", "PING", "SELECT"];
    let unused: Vec<_> =
        granted.iter().filter(|command| !probed.contains(&***command) && !further.contains(&&***command)).collect();
    assert!(unused.is_empty(), "docs/operations.md grants {unused:?}, which nothing needs");
}
