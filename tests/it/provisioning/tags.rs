//! `/console/api/tags` and `/console/api/tag-bindings`.

use reqwest::Method;
use serde_json::json;

use super::{APPS, BINDINGS, TAGS, create_app};
use crate::support::{
    Answer, Browser, Stores, TestServer, apps,
    database::{account_id, count, execute},
    server::{OWNER, no_limits},
};

async fn start(stores: Stores) -> (TestServer, Browser) {
    let server = TestServer::start_with(stores, &[("OPENAPI_RATE_LIMITS", &no_limits())]).await;
    let browser = Browser::signed_in(&server, OWNER).await;
    (server, browser)
}

on_every_database!(concurrent_requests_create_a_tag_once_and_bind_it_once);

on_both_stores!(tags_are_created_bound_and_deleted);

async fn tags_are_created_bound_and_deleted(stores: Stores) {
    let (server, browser) = start(stores).await;
    let app = create_app(&browser, "Tagged").await;
    let mut ids = Vec::new();
    for name in ["Alpha", "beta"] {
        server.advance(1);
        let (status, tag) = browser.post(TAGS, &json!({"name": name, "type": "app"})).await;
        assert_eq!((status, &tag["name"]), (200, &json!(name)));
        ids.push(tag["id"].clone());
    }
    assert_eq!(browser.post(TAGS, &json!({"name": "Alpha", "type": "app"})).await.1["code"], "already_exists");
    for (body, status) in [
        (json!({"name": "", "type": "app"}), 400),
        (json!({"name": "x"}), 400),
        (json!({"name": "x", "type": "knowledge"}), 422),
        (json!({"name": "x".repeat(51), "type": "app"}), 422),
        (json!({"name": "\u{202e}x", "type": "app"}), 422),
    ] {
        let (found, refused) = browser.post(TAGS, &body).await;
        assert_eq!(found, status, "{body}: {refused}");
    }
    let both = json!({"tag_ids": ids, "target_id": app, "type": "app"});
    assert_eq!(browser.post(BINDINGS, &both).await.0, 200);
    let (_, listed) = browser.get(&format!("{TAGS}?type=app&keyword=ALPH")).await;
    assert_eq!(listed, json!([{"id": ids[0], "name": "Alpha", "type": "app", "binding_count": "1"}]));
    assert_eq!(browser.get(&format!("{TAGS}?type=knowledge")).await.1, json!([]));
    assert_eq!(browser.get(TAGS).await.1.as_array().unwrap().len(), 2);
    let one = json!({"tag_id": ids[0], "target_id": app, "type": "app"});
    assert_eq!(browser.post(&format!("{BINDINGS}/remove"), &one).await.0, 200);
    assert_eq!(browser.get(&format!("{APPS}/{app}")).await.1["tags"][0]["name"], "beta");
    for (body, status) in [
        (json!({"tag_ids": [], "target_id": app, "type": "app"}), 422),
        (json!({"tag_ids": vec![&ids[0]; 51], "target_id": app, "type": "app"}), 422),
        (json!({"tag_ids": ["x"], "target_id": app, "type": "app"}), 422),
        (json!({"tag_ids": [app], "target_id": app, "type": "app"}), 404),
        (json!({"tag_ids": ids, "target_id": "x", "type": "app"}), 404),
        (json!({"tag_ids": ids, "target_id": app}), 400),
    ] {
        let (found, refused) = browser.post(BINDINGS, &body).await;
        assert_eq!(found, status, "{body}: {refused}");
    }
    let path = format!("{TAGS}/{}", ids[1].as_str().unwrap());
    let delete = async || Answer::to(browser.request(Method::DELETE, &path)).await.status;
    assert_eq!((delete().await, delete().await), (204, 404));
    assert_eq!(count(&server, "tag_bindings").await, 0);
}

async fn concurrent_requests_create_a_tag_once_and_bind_it_once(stores: Stores) {
    let (server, browser) = start(stores).await;
    let app = create_app(&browser, "Tagged").await;
    let new = json!({"name": "once", "type": "app"});
    let creations = (0..5).map(|_| async { browser.post(TAGS, &new).await });
    let answers = futures_util::future::join_all(creations).await;
    let created: Vec<_> = answers.iter().filter(|(status, _)| *status == 200).collect();
    assert_eq!((created.len(), answers.iter().filter(|(status, _)| *status == 409).count()), (1, 4), "{answers:?}");
    let binding = json!({"tag_ids": [created[0].1["id"]], "target_id": app, "type": "app"});
    let bindings = (0..5).map(|_| async { browser.post(BINDINGS, &binding).await.0 });
    assert_eq!(futures_util::future::join_all(bindings).await, [200; 5]);
    assert_eq!(count(&server, "tag_bindings").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn workspace_and_app_have_a_limited_number_of_tags() {
    let (server, browser) = start(Stores::Sqlite).await;
    let app = create_app(&browser, "Tagged").await;
    let (workspace, owner) = (apps::shared_workspace(&server).await, account_id(&server, OWNER).await);
    let fill = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) \
         INSERT INTO tags (id, tenant_id, type, name, created_by) \
         SELECT '00000000-0000-4000-8000-' || printf('%012d', i), '{workspace}', 'app', 'tag' || i, '{owner}' FROM n"
    );
    assert_eq!(execute(&server, &fill).await, 500);
    let (status, refused) = browser.post(TAGS, &json!({"name": "one more", "type": "app"})).await;
    assert_eq!((status, &refused["code"]), (400, &json!("invalid_request")), "{refused}");
    let ids = |from: u32, to: u32| -> Vec<_> {
        (from..=to).map(|number| format!("00000000-0000-4000-8000-{number:012}")).collect()
    };
    let bind = async |ids: Vec<String>| {
        browser.post(BINDINGS, &json!({"tag_ids": ids, "target_id": app, "type": "app"})).await.0
    };
    assert_eq!((bind(ids(1, 50)).await, bind(ids(50, 51)).await, bind(ids(1, 50)).await), (200, 400, 200));
}
