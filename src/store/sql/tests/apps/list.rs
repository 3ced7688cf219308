//! Lists of apps: order, pages, filters and totals.

use super::*;

conformance!(
    list_has_callable_apps_newest_first,
    page_has_tags_authors_and_the_total_of_all_pages,
    name_filter_ignores_case_and_has_no_wildcards,
    mode_tag_and_id_filter_a_list,
    large_workspace_is_counted_once_a_second,
);

async fn list_has_callable_apps_newest_first(sql: SqlStore) {
    let fixture = AppFixture::new(sql).await;
    assert!(fixture.names(None, None, None).await.is_empty());
    fixture.app("Oldest", "workflow", 30).await;
    fixture.app("Newest", "chat", 10).await;
    fixture.app("Middle", "agent-chat", 20).await;
    for (name, mode, what) in [
        ("Archived", "chat", "status = 'archived'"),
        ("Switched off", "chat", "enable_api = FALSE"),
        ("Universal", "chat", "is_universal = TRUE"),
        ("Elsewhere", "chat", "tenant_id = '00000000-0000-0000-0000-000000000001'"),
        ("Channel", "channel", "name = 'Channel'"),
        ("Pipeline", "rag-pipeline", "name = 'Pipeline'"),
        ("Agent", "agent", "name = 'Agent'"),
    ] {
        let id = fixture.app(name, mode, 0).await;
        fixture.set(id, what).await;
    }
    assert_eq!(fixture.names(None, None, None).await, ["Newest", "Middle", "Oldest"]);
    // Apps of the same age are sorted by id.
    let mut twins = Vec::new();
    for _ in 0..8 {
        twins.push(fixture.app("Twin", "completion", 5).await);
    }
    twins.sort_unstable();
    let listed: Vec<_> = fixture.list(None, Some("twin"), None).await.data.iter().map(|app| app.id).collect();
    assert_eq!(listed, twins);
}

async fn page_has_tags_authors_and_the_total_of_all_pages(sql: SqlStore) {
    let fixture = AppFixture::new(sql).await;
    let mut ids = Vec::new();
    for age in 0..45 {
        ids.push(fixture.app(&format!("App {age:02}"), "chat", age).await);
    }
    fixture.set(ids[1], "created_by = NULL").await;
    fixture.set(ids[2], "created_by = '00000000-0000-0000-0000-000000000001'").await;
    let elsewhere = WorkspaceId(Uuid::new_v4());
    fixture.tag("beta", "app", fixture.workspace, &[ids[0], ids[3], ids[0]]).await;
    fixture.tag("alpha", "app", fixture.workspace, &[ids[0]]).await;
    fixture.tag("knowledge", "knowledge", fixture.workspace, &[ids[0]]).await;
    fixture.tag("foreign", "app", elsewhere, &[ids[0]]).await;
    let page = async |page, limit| {
        let request = PageRequest { page, limit };
        fixture.sql.list_apps(fixture.alice, fixture.workspace, &AppFilter::default(), request).await.unwrap().1
    };
    let first = page(1, 20).await;
    assert_eq!((first.total, first.data.len(), first.has_more()), (45, 20, true));
    let app = &first.data[0];
    assert_eq!((app.id, app.name.as_str(), app.description.as_str()), (ids[0], "App 00", "About it"));
    assert_eq!((app.updated_at, app.workspace_name.as_str()), (start(), "Acme"));
    let authors: Vec<_> = first.data.iter().take(4).map(|app| app.created_by_name.as_deref()).collect();
    assert_eq!(authors, [Some("Somebody"), None, None, Some("Somebody")]);
    let last = page(3, 20).await;
    assert_eq!((last.total, last.data.len(), last.has_more()), (45, 5, false));
    assert_eq!(last.data[4].id, ids[44]);
    let beyond = page(4, 20).await;
    assert_eq!((beyond.total, beyond.data.len(), beyond.has_more()), (45, 0, false));
    let tags: Vec<_> = first.data.iter().take(4).map(|app| app.tags.join(" ")).collect();
    assert_eq!(tags, ["alpha beta", "", "", "beta"]);
    let found = fixture
        .sql
        .find_app(fixture.alice, ids[0], None, AppDetail::Outline, &mut |_| Ok(()))
        .await
        .unwrap()
        .1
        .unwrap();
    assert_eq!(found.tags, ["alpha", "beta"]);
}

async fn name_filter_ignores_case_and_has_no_wildcards(sql: SqlStore) {
    let fixture = AppFixture::new(sql).await;
    let names = ["100%_real app", r"back\slash", "[a-z]*? ^!", "José Ünal", "it's", "plain"];
    for (age, name) in (0..).zip(names) {
        fixture.app(name, "chat", age).await;
    }
    for (text, expected) in [
        ("%", &names[..1]),
        ("0%_R", &names[..1]),
        ("_", &names[..1]),
        ("\\", &names[1..2]),
        ("K\\S", &names[1..2]),
        ("[a-z]", &names[2..3]),
        ("*", &names[2..3]),
        ("?", &names[2..3]),
        ("^", &names[2..3]),
        ("!", &names[2..3]),
        ("[A-Z]*? ^!", &names[2..3]),
        ("jOSé", &names[3..4]),
        ("ünal", &names[3..4]),
        ("jose", &[]),
        ("it's", &names[4..5]),
        ("PLAIN", &names[5..6]),
        ("plain ", &[]),
        ("100%_real app!", &[]),
    ] {
        assert_eq!(fixture.names(None, Some(text), None).await, expected, "{text}");
    }
    for text in ["%%", "'", "\"", "''", "\u{1F980}", "\0", "a\0"] {
        let found = fixture.names(None, Some(text), None).await;
        assert!(found.iter().all(|name| text == "'" && name == "it's"), "{text}: {found:?}");
    }
}

async fn mode_tag_and_id_filter_a_list(sql: SqlStore) {
    let fixture = AppFixture::new(sql).await;
    let chat = fixture.app("Chat", "chat", 1).await;
    let flow = fixture.app("Flow", "workflow", 2).await;
    let hidden = fixture.app("Hidden", "chat", 3).await;
    fixture.set(hidden, "enable_api = FALSE").await;
    fixture.tag("prod", "app", fixture.workspace, &[chat, flow, hidden]).await;
    fixture.tag("empty", "app", fixture.workspace, &[]).await;
    fixture.tag("notes", "knowledge", fixture.workspace, &[chat]).await;
    fixture.tag("theirs", "app", WorkspaceId(Uuid::new_v4()), &[chat]).await;
    assert_eq!(fixture.names(Some("workflow"), None, None).await, ["Flow"]);
    assert_eq!(fixture.names(None, None, Some("prod")).await, ["Chat", "Flow"]);
    assert_eq!(fixture.names(Some("chat"), Some("c"), Some("prod")).await, ["Chat"]);
    assert_eq!(fixture.names(None, Some(&flow.to_string()), None).await, ["Flow"]);
    assert_eq!(fixture.names(None, Some(&flow.to_string().to_uppercase()), None).await, ["Flow"]);
    for (mode, name, tag) in [
        (Some("completion"), None, None),
        (Some("channel"), None, None),
        (None, Some(hidden.to_string()), None),
        (Some("chat"), Some(flow.to_string()), None),
        (None, Some(Uuid::new_v4().to_string()), None),
        (None, None, Some("Prod")),
        (None, None, Some("prod ")),
        (None, None, Some("empty")),
        (None, None, Some("notes")),
        (None, None, Some("theirs")),
        (None, None, Some("%")),
        (None, None, Some("pr\0od")),
    ] {
        assert!(fixture.names(mode, name.as_deref(), tag).await.is_empty(), "{mode:?} {name:?} {tag:?}");
    }
}

async fn large_workspace_is_counted_once_a_second(sql: SqlStore) {
    let fixture = AppFixture::new(sql).await;
    let total = async |mode| {
        let filter = AppFilter::parse(mode, None, None).unwrap();
        let request = PageRequest { page: 1, limit: 1 };
        fixture.sql.list_apps(fixture.alice, fixture.workspace, &filter, request).await.unwrap().1.total
    };
    let add = async |count: usize| {
        let workspace = fixture.workspace;
        let rows: Vec<_> =
            (0..count).map(|_| format!("('{}', '{workspace}', 'Bulk', 'chat', TRUE, TRUE)", Uuid::new_v4())).collect();
        let insert = "INSERT INTO apps (id, tenant_id, name, mode, enable_site, enable_api) VALUES ";
        execute(&fixture.sql, &format!("{insert}{}", rows.join(", "))).await;
    };
    add(998).await;
    assert_eq!(total(None).await, 998);
    add(1).await;
    assert_eq!(total(None).await, 999, "a small total is counted each time");
    add(1).await;
    let counted = std::time::Instant::now();
    assert_eq!(total(None).await, 1_000);
    add(1).await;
    let again = total(None).await;
    assert!(again == 1_000 || counted.elapsed() > std::time::Duration::from_secs(1), "a large total is cached");
    assert_eq!((total(Some("chat")).await, total(Some("workflow")).await), (1_001, 0));
    let by_name = AppFilter::parse(None, Some("bulk"), None).unwrap();
    let found = fixture.sql.list_apps(fixture.alice, fixture.workspace, &by_name, FIRST).await.unwrap().1;
    assert_eq!(found.total, 1_001);
    tokio::time::timeout(std::time::Duration::from_secs(10), async {
        while total(None).await != 1_001 {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    })
    .await
    .expect("the total is counted again");
}
