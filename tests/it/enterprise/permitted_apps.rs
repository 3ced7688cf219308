//! `GET /permitted-external-apps` and `GET /permitted-external-apps/{id}`.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{
    Answer, Bearer, Stores, TestServer, apps,
    command::succeeded,
    database,
    enterprise_service::{Behaviour, EnterpriseService},
    server::MEMBER,
};

on_every_database!(built_in_list_has_the_apps_that_are_open_to_external_identities);

on_both_stores!(
    list_of_the_enterprise_service_is_passed_on,
    wrong_lists_are_unavailable,
    routes_require_a_license_and_the_right_surface,
    absent_routes_charge_no_limit
);

const PERMITTED: &str = "/openapi/v1/permitted-external-apps";

async fn external(server: &TestServer, email: &str) -> Bearer {
    let (token, id) = database::external_token(server, email, &Uuid::new_v4().to_string()).await;
    Bearer::with_token(server, &token, &id)
}

async fn get(bearer: &Bearer, rest: &str) -> Answer {
    Answer::to(bearer.request(Method::GET, &format!("{PERMITTED}{rest}"))).await
}

fn names(list: &Value) -> Vec<&str> {
    list["data"].as_array().unwrap().iter().map(|app| app["name"].as_str().unwrap()).collect()
}

async fn built_in_list_has_the_apps_that_are_open_to_external_identities(stores: Stores) {
    let server = TestServer::start_with(stores, &[("ENTERPRISE_ENABLED", "true")]).await;
    let demo = apps::shared_workspace(&server).await;
    let second = apps::workspace(&server, "Second Workspace").await;
    let mut ids = Vec::new();
    for (name, mode, workspace) in [
        ("Public", "public", &demo),
        ("Verified", "sso_verified", &second),
        ("All", "private_all", &demo),
        ("Own", "private", &demo),
    ] {
        let app = apps::insert(&server, workspace, name, "chat", 100 * i64::try_from(ids.len()).unwrap()).await;
        apps::tag(&server, workspace, &format!("tag of {name}"), &[&app]).await;
        succeeded(server.command(&["app", "access-mode", "set", name, mode], ""));
        ids.push(app);
    }
    ids.push(apps::insert(&server, &demo, "Without a mode", "chat", 900).await);
    let bearer = external(&server, "eve@idp.example").await;
    let first = get(&bearer, "?limit=1").await;
    assert_wire!(first.redacted(), @r#"
    {
      "data": [
        {
          "created_by_name": null,
          "description": "What it is for",
          "id": "[uuid]",
          "mode": "chat",
          "name": "Public",
          "tags": [],
          "updated_at": "[time]",
          "workspace_id": "[uuid]",
          "workspace_name": "Demo Workspace"
        }
      ],
      "has_more": true,
      "limit": 1,
      "page": 1,
      "total": 2
    }
    "#);
    assert_eq!(names(&get(&bearer, "").await.json()), ["Public", "Verified"]);
    assert_eq!(names(&get(&bearer, "?name=veri&mode=chat").await.json()), ["Verified"]);
    for nothing in ["?mode=workflow", "?mode=channel", "?name=%00", "?page=3"] {
        assert_eq!(names(&get(&bearer, nothing).await.json()), Vec::<&str>::new(), "{nothing}");
    }
    for wrong in ["?workspace_id=x", "?tag=x", "?limit=0", "?page=0", "?mode=odd"] {
        assert_eq!(get(&bearer, wrong).await.outcome(), (422, "invalid_param".to_owned()), "{wrong}");
    }
    for (app, status) in ids.iter().zip([200, 200, 404, 404, 404]) {
        assert_eq!(get(&bearer, &format!("/{app}?fields=info")).await.status, status, "{app}");
        let run =
            bearer.request(Method::POST, &format!("{PERMITTED}/{app}/run")).json(&json!({"inputs": {}, "query": "x"}));
        // An app without a definition cannot run.
        assert_eq!(Answer::to(run).await.status, if status == 200 { 400 } else { 404 }, "{app}");
    }
    assert_eq!(get(&bearer, "/Public").await.outcome(), (404, "not_found".to_owned()), "names are not looked up");
    assert_eq!(get(&bearer, &format!("/{}?workspace_id=x", ids[0])).await.outcome(), (422, "invalid_param".to_owned()));
    apps::set(&server, &ids[0], "enable_api = FALSE").await;
    assert_eq!(get(&bearer, &format!("/{}", ids[0])).await.status, 404);
    assert_eq!(names(&get(&bearer, "").await.json()), ["Verified"]);
}

async fn list_of_the_enterprise_service_is_passed_on(stores: Stores) {
    let service = EnterpriseService::start().await;
    let server = TestServer::start_with(stores, &service.variables()).await;
    let workspace = apps::shared_workspace(&server).await;
    let mut ids = Vec::new();
    for age in 0..5 {
        ids.push(apps::insert(&server, &workspace, &format!("App {age}"), "chat", age).await);
    }
    apps::set(&server, &ids[1], "enable_api = FALSE").await;
    ids.reverse();
    ids.push(Uuid::new_v4().to_string());
    service.knowledge.lock().external_apps = ids;
    let bearer = external(&server, "eve@idp.example").await;
    get(&bearer, "").await;
    service.take_requests();
    let page = get(&bearer, "?limit=4&mode=chat&name=App").await.json();
    // The order, the total and `has_more` are those of the service; an app that cannot be called is left out.
    assert_eq!(names(&page), ["App 4", "App 3", "App 2"]);
    assert_eq!((&page["total"], &page["has_more"]), (&json!(6), &json!(true)));
    let requests = service.take_requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].body, json!({"page": 1, "limit": 4, "mode": "chat", "name": "App"}));
    let page = get(&bearer, "?limit=4&page=2").await.json();
    assert_eq!((names(&page), &page["has_more"]), (vec!["App 0"], &json!(false)));
}

async fn wrong_lists_are_unavailable(stores: Stores) {
    let service = EnterpriseService::start().await;
    let server = TestServer::start_with(stores, &service.variables()).await;
    let bearer = external(&server, "eve@idp.example").await;
    assert_eq!(get(&bearer, "").await.status, 200);
    let row = r#"{"appId":"0197e3a1-5b1c-7c3e-9f43-2f6f0d9c1a55"}"#;
    for (what, status, body) in [
        ("an error", 500, "{}".to_owned()),
        ("a rejection", 400, r#"{"message":"secret detail"}"#.to_owned()),
        ("no list", 200, r#"{"total":1,"hasMore":false}"#.to_owned()),
        ("no total", 200, format!(r#"{{"data":[{row}],"hasMore":false}}"#)),
        ("a negative total", 200, r#"{"data":[],"total":-1,"hasMore":false}"#.to_owned()),
        ("a wrong id", 200, r#"{"data":[{"appId":"x"}],"total":1,"hasMore":false}"#.to_owned()),
        ("more rows than requested", 200, format!(r#"{{"data":[{row},{row}],"total":2,"hasMore":false}}"#)),
    ] {
        service.behave(Behaviour::Fixed(status, "application/json", body));
        let answer = get(&bearer, "?limit=1").await;
        assert_eq!(answer.outcome(), (503, "permitted_external_apps_unavailable".to_owned()), "{what}");
        assert!(!answer.text.contains("secret detail"), "{what}");
        service.behave(Behaviour::Specified);
        server.advance(5);
        assert_eq!(get(&bearer, "?limit=1").await.status, 200, "{what}");
    }
}

async fn routes_require_a_license_and_the_right_surface(stores: Stores) {
    let service = EnterpriseService::start().await;
    service.set_license("expired");
    let server = TestServer::start_with(stores, &service.variables()).await;
    let (eve, member) = (external(&server, "eve@idp.example").await, Bearer::sign_in(&server, MEMBER, "laptop").await);
    let app = Uuid::new_v4();
    for (method, rest) in
        [(Method::GET, String::new()), (Method::GET, format!("/{app}")), (Method::POST, format!("/{app}/run"))]
    {
        let path = format!("{PERMITTED}{rest}");
        let answer = Answer::to(eve.request(method.clone(), &path)).await;
        assert_eq!(answer.outcome(), (403, "license_required".to_owned()), "{path}");
        // The surface comes first: an account does not learn of the license.
        let answer = Answer::to(member.request(method, &path)).await;
        assert_eq!(answer.outcome(), (403, "wrong_surface".to_owned()), "{path}");
    }
    // Routes of both editions need no license.
    let (status, account) = eve.get("/openapi/v1/account").await;
    assert_eq!(
        (status, &account["account"], &account["subject_issuer"]),
        (200, &Value::Null, &json!(database::ISSUER))
    );
    let (status, sessions) = eve.get("/openapi/v1/account/sessions").await;
    assert_eq!((status, &sessions["total"]), (200, &json!(1)));
}

async fn absent_routes_charge_no_limit(stores: Stores) {
    let server = TestServer::start_with(stores, &[("OPENAPI_RATE_LIMITS", "token=1/1h,unknown_bearer=1/1h")]).await;
    let eve = external(&server, "eve@idp.example").await;
    let stranger = Bearer::with_token(&server, &format!("dfoe_{:043}", 7), "none");
    for _ in 0..3 {
        for bearer in [&eve, &stranger] {
            for (method, rest) in [(Method::GET, ""), (Method::GET, "/x"), (Method::POST, "/x/run")] {
                let answer = Answer::to(bearer.request(method, &format!("{PERMITTED}{rest}"))).await;
                assert_eq!(answer.outcome(), (404, "not_found".to_owned()), "{rest}");
            }
        }
    }
    assert_eq!(eve.get("/openapi/v1/account").await.0, 200);
    assert_eq!(eve.get("/openapi/v1/account").await.0, 429);
}
