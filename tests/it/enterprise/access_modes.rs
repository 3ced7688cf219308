//! Access modes of apps, decided by this service's own table and by the enterprise service.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    Answer, Bearer, Stores, TestServer, apps,
    command::succeeded,
    database,
    enterprise_service::{EnterpriseService, SECRET_KEY},
    server::MEMBER,
};

on_every_database!(built_in_access_modes_decide_about_every_route);

on_both_stores!(
    enterprise_service_is_asked_once_for_each_page,
    enterprise_service_decides_about_every_route,
    private_app_requires_a_license,
    permissions_are_cached_and_shared,
    policy_of_the_workspace_limits_the_lifetime_of_tokens
);

const APPS: &str = "/openapi/v1/apps";

/// The outcomes of describing an app by its id and of running it.
async fn use_app(bearer: &Bearer, app: &str) -> [(u16, String); 2] {
    let describe = bearer.request(Method::GET, &format!("{APPS}/{app}/describe?fields=info"));
    let run = bearer.request(Method::POST, &format!("{APPS}/{app}/run")).json(&json!({"inputs": {}, "query": "Hi"}));
    // An app without a definition cannot run, which is found out after its access was checked.
    [Answer::to(describe).await.outcome(), Answer::to(run).await.outcome()]
}

fn allowed() -> [(u16, String); 2] {
    [(200, "ok".to_owned()), (400, "app_unavailable".to_owned())]
}

fn denied() -> [(u16, String); 2] {
    let denied = (403, "app_access_denied".to_owned());
    [denied.clone(), denied]
}

fn names(list: &Value) -> Vec<&str> {
    list["data"].as_array().unwrap().iter().map(|app| app["name"].as_str().unwrap()).collect()
}

async fn list(bearer: &Bearer, query: &str) -> Value {
    let answer = Answer::to(bearer.request(Method::GET, &format!("{APPS}?{query}"))).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

async fn built_in_access_modes_decide_about_every_route(stores: Stores) {
    let server = TestServer::start_with(stores, &[("ENTERPRISE_ENABLED", "true")]).await;
    let workspace = apps::shared_workspace(&server).await;
    let mut ids = Vec::new();
    for (name, age) in [("Plain", 100), ("Public", 200), ("Verified", 300), ("Own", 400), ("Closed", 500), ("Odd", 600)]
    {
        ids.push(apps::insert(&server, &workspace, name, "chat", age).await);
    }
    let set =
        |arguments: &[&str]| succeeded(server.command(&[&["app", "access-mode", "set"], arguments].concat(), "")).0;
    set(&["Public", "public"]);
    set(&["Verified", "sso_verified"]);
    set(&["Own", "private", "--allow", "MEMBER@example.com"]);
    set(&["Closed", "private"]);
    set(&[&ids[5], "public"]);
    database::execute(&server, "UPDATE openapi_app_access SET access_mode = 'internal' WHERE access_mode = 'public'")
        .await;
    set(&["Public", "public"]);
    let bearer = Bearer::sign_in(&server, MEMBER, "laptop").await;

    let listed = list(&bearer, &format!("workspace_id={workspace}")).await;
    assert_eq!(names(&listed), ["Plain", "Public", "Verified", "Own"]);
    assert_eq!((&listed["total"], &listed["has_more"]), (&json!(4), &json!(false)));
    let page = list(&bearer, &format!("workspace_id={workspace}&page=2&limit=3")).await;
    assert_eq!((names(&page), &page["total"], &page["has_more"]), (vec!["Own"], &json!(4), &json!(false)));
    assert_eq!(names(&list(&bearer, &format!("workspace_id={workspace}&name=o&limit=1")).await), ["Own"]);
    for (app, expected) in ids.iter().zip([allowed(), allowed(), allowed(), allowed(), denied(), denied()]) {
        assert_eq!(use_app(&bearer, app).await, expected, "{app}");
    }
    // The operator's change is in force with the next request.
    set(&["Own", "private", "--allow", "demo@example.com"]);
    set(&["Closed", "private_all"]);
    assert_eq!(use_app(&bearer, &ids[3]).await, denied());
    assert_eq!(use_app(&bearer, &ids[4]).await, allowed());
    let text = succeeded(server.command(&["app", "access-mode", "list", "--workspace", "Demo Workspace"], "")).0;
    let lines: Vec<_> =
        text.lines().map(|line| line.split_whitespace().skip(1).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(
        lines,
        [
            "private_all set Closed",
            "internal set Odd",
            "private set Own demo@example.com",
            "private_all default Plain",
            "public set Public",
            "sso_verified set Verified"
        ]
    );
}

async fn enterprise_service_is_asked_once_for_each_page(stores: Stores) {
    let service = EnterpriseService::start().await;
    let server = TestServer::start_with(stores, &service.variables()).await;
    let workspace = apps::shared_workspace(&server).await;
    for age in 0..30 {
        let app = apps::insert(&server, &workspace, &format!("App {age}"), "chat", age).await;
        service.set_mode(&app, if age % 2 == 0 { "public" } else { "sso_verified" });
    }
    let hidden = apps::insert(&server, &workspace, "Unknown to the service", "chat", 40).await;
    let bearer = Bearer::sign_in(&server, MEMBER, "laptop").await;
    service.take_requests();
    let page = list(&bearer, &format!("workspace_id={workspace}&page=2&limit=20")).await;
    assert_eq!((page["data"].as_array().unwrap().len(), &page["total"]), (10, &json!(30)));
    let requests = service.take_requests();
    let names: Vec<_> = requests.iter().map(|request| request.name.as_str()).collect();
    assert_eq!(names, ["POST /webapp/access-mode/batch/id"]);
    assert_eq!(requests[0].body["appIds"].as_array().unwrap().len(), 31);
    assert_eq!(requests[0].headers["enterprise-api-secret-key"], SECRET_KEY);
    // A single app without a mode is private.
    assert_eq!(use_app(&bearer, &hidden).await, denied());
}

async fn enterprise_service_decides_about_every_route(stores: Stores) {
    let service = EnterpriseService::start().await;
    let server = TestServer::start_with(stores, &service.variables()).await;
    let workspace = apps::shared_workspace(&server).await;
    let member = database::account_id(&server, MEMBER).await;
    let bearer = Bearer::sign_in(&server, MEMBER, "laptop").await;
    let mut expected = Vec::new();
    for (name, mode, permitted, outcome) in [
        ("Public", "public", false, allowed()),
        ("Verified", "sso_verified", false, allowed()),
        ("All", "private_all", false, allowed()),
        ("Mine", "private", true, allowed()),
        ("Closed", "private", false, denied()),
        ("Odd", "everybody", true, denied()),
    ] {
        let app = apps::insert(&server, &workspace, name, "chat", 1).await;
        service.set_mode(&app, mode);
        if permitted {
            service.permit(&member, &app);
        }
        if outcome == allowed() {
            expected.push(name);
        }
        assert_eq!(use_app(&bearer, &app).await, outcome, "{name}");
        let by_name = bearer.request(Method::GET, &format!("{APPS}/{name}/describe?workspace_id={workspace}"));
        assert_eq!(Answer::to(by_name).await.outcome(), outcome[0], "{name}");
    }
    let listed = list(&bearer, &format!("workspace_id={workspace}")).await;
    let mut listed = names(&listed);
    listed.sort_unstable();
    expected.sort_unstable();
    assert_eq!(listed, expected);
    // Two apps of one name: only the accessible one is meant.
    let [open, closed] = [
        apps::insert(&server, &workspace, "Twin", "chat", 1).await,
        apps::insert(&server, &workspace, "Twin", "chat", 2).await,
    ];
    service.set_mode(&open, "public");
    service.set_mode(&closed, "private");
    let twin = Answer::to(bearer.request(Method::GET, &format!("{APPS}/Twin/describe?workspace_id={workspace}"))).await;
    assert_eq!(twin.json()["info"]["id"], open, "{}", twin.text);
}

async fn private_app_requires_a_license(stores: Stores) {
    let service = EnterpriseService::start().await;
    service.set_license("expired");
    let server = TestServer::start_with(stores, &service.variables()).await;
    let workspace = apps::shared_workspace(&server).await;
    let member = database::account_id(&server, MEMBER).await;
    let [open, private] = [("Open", "public"), ("Private", "private")];
    let mut ids = Vec::new();
    for (name, mode) in [open, private] {
        let app = apps::insert(&server, &workspace, name, "chat", 1).await;
        service.set_mode(&app, mode);
        service.permit(&member, &app);
        ids.push(app);
    }
    let bearer = Bearer::sign_in(&server, MEMBER, "laptop").await;
    service.take_requests();
    let required = (403, "license_required".to_owned());
    assert_eq!(use_app(&bearer, &ids[1]).await, [required.clone(), required.clone()]);
    let calls = service.take_names();
    assert_eq!(calls.iter().filter(|name| *name == "GET /info").count(), 1, "the status is cached: {calls:?}");
    assert!(!calls.iter().any(|name| name.contains("permission")), "{calls:?}");
    assert_eq!(use_app(&bearer, &ids[0]).await, allowed());
    assert_eq!(names(&list(&bearer, &format!("workspace_id={workspace}")).await), ["Open"]);
    // A word of another version is no license.
    for status in ["lost", "inactive", "none", "a new word", ""] {
        service.set_license(status);
        forget_license(&server).await;
        assert_eq!(use_app(&bearer, &ids[1]).await[0], required, "{status}");
    }
    service.set_license("expiring");
    forget_license(&server).await;
    assert_eq!(use_app(&bearer, &ids[1]).await, allowed());
}

/// Lets the cached status expire.
async fn forget_license(server: &TestServer) {
    match &server.stores {
        Stores::Sqlite => server.advance(30),
        Stores::Servers { redis, prefix, .. } => {
            let client = redis::Client::open(redis.as_str()).unwrap();
            let mut connection = client.get_multiplexed_async_connection().await.unwrap();
            let key = format!("{prefix}:enterprise:license:status");
            let left: i64 = redis::cmd("TTL").arg(&key).query_async(&mut connection).await.unwrap();
            assert!((1..=30).contains(&left), "{left} s");
            let _: () = redis::cmd("DEL").arg(&key).query_async(&mut connection).await.unwrap();
        }
    }
}

async fn permissions_are_cached_and_shared(stores: Stores) {
    let service = EnterpriseService::start().await;
    let server = TestServer::start_with(stores, &service.variables()).await;
    let workspace = apps::shared_workspace(&server).await;
    let member = database::account_id(&server, MEMBER).await;
    let app = apps::insert(&server, &workspace, "Mine", "chat", 1).await;
    service.set_mode(&app, "private");
    service.permit(&member, &app);
    let bearer = Bearer::sign_in(&server, MEMBER, "laptop").await;
    service.take_requests();
    assert_eq!(use_app(&bearer, &app).await, allowed());
    assert_eq!(use_app(&bearer, &app).await, allowed());
    list(&bearer, &format!("workspace_id={workspace}")).await;
    let calls = service.take_names();
    assert_eq!(calls.iter().filter(|name| name.contains("permission")).count(), 1, "{calls:?}");
    if let Stores::Servers { .. } = &server.stores {
        let dump = database::dump_redis(&server).await;
        assert!(dump.contains(&format!("acl:webapp:{member}:{app} = allow")), "{dump}");
        assert!(dump.contains("enterprise:license:status = active"), "{dump}");
        // An entry that Dify wrote is believed.
        let other = apps::insert(&server, &workspace, "Another", "chat", 1).await;
        service.set_mode(&other, "private");
        let Stores::Servers { redis, prefix, .. } = &server.stores else { unreachable!() };
        let client = redis::Client::open(redis.as_str()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let key = format!("{prefix}:acl:webapp:{member}:{other}");
        let _: () = redis::cmd("SET").arg(&key).arg("allow").query_async(&mut connection).await.unwrap();
        assert_eq!(use_app(&bearer, &other).await, allowed());
    }
}

async fn policy_of_the_workspace_limits_the_lifetime_of_tokens(stores: Stores) {
    let service = EnterpriseService::start().await;
    let server = TestServer::start_with(stores, &service.variables()).await;
    let days = async |label: &str| {
        Bearer::sign_in(&server, MEMBER, label).await;
        let query = format!("SELECT CAST(expires_at AS text) FROM oauth_access_tokens WHERE device_label = '{label}'");
        let text =
            database::text(&server, &query).await.unwrap().replace(' ', "T").replace("+00:00", "").replace("+00", "");
        let expires = text.get(..19).unwrap().parse::<chrono::NaiveDateTime>().unwrap().and_utc();
        let left = expires - dify_openapi::testing::ports::Clock::now(&server.clock);
        (left.num_hours() + 1) / 24
    };
    assert_eq!(days("without a policy").await, 14);
    server.advance(600);
    service.knowledge.lock().ttl_days = Some(3);
    assert_eq!(days("three days").await, 3);
    service.take_requests();
    assert_eq!(days("three days, cached").await, 3);
    assert_eq!(service.take_names(), Vec::<String>::new());
    server.advance(600);
    service.knowledge.lock().ttl_days = Some(100_000);
    assert_eq!(days("clamped").await, 365);
    server.advance(600);
    service.behave(crate::support::enterprise_service::Behaviour::Fixed(500, "application/json", "{}".to_owned()));
    assert_eq!(days("after a failure").await, 14);
}
