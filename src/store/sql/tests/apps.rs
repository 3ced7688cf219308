//! Apps: visibility, filters, pages, definitions.

use serde_json::json;

use super::*;
use crate::domain::{
    account::AccountStatus,
    app::{
        AppMode, Definition,
        mode::AppStatus,
        stored_app::AppDetail,
        summary::{AppFilter, AppSummary},
    },
    id::{AppId, WorkflowId, WorkspaceId},
    page::{Page, PageRequest},
    stored::StoredValue,
    workspace::{MembershipStatus, WorkspaceRole},
};

conformance!(
    list_has_callable_apps_newest_first,
    page_has_tags_authors_and_the_total_of_all_pages,
    name_filter_ignores_case_and_has_no_wildcards,
    mode_tag_and_id_filter_a_list,
    strangers_and_inactive_accounts_find_no_apps,
    large_workspace_is_counted_once_a_second,
    find_app_reads_the_definition,
    find_app_reads_versions_of_the_app_but_no_drafts,
    find_apps_named_matches_exact_names_of_callable_apps,
);

const FIRST: PageRequest = PageRequest { page: 1, limit: 20 };

/// Alice's workspace.
struct AppFixture {
    sql: SqlStore,
    alice: AccountId,
    workspace: WorkspaceId,
}

impl AppFixture {
    async fn new(sql: SqlStore) -> Self {
        let alice = account_id(&migrate_with_account(&sql).await);
        let workspace = sql.create_workspace("Acme", "alice@example.com", start()).await.unwrap();
        Self { sql, alice, workspace }
    }

    /// Creates a listed app that was updated `age` seconds before the start.
    async fn app(&self, name: &str, mode: &str, age: i64) -> AppId {
        let id = AppId(Uuid::new_v4());
        let updated_at = later(-age).naive_utc();
        let (workspace, alice, name) =
            (self.workspace, self.alice, name.replace('\'', "''").replace('\\', self.backslash()));
        let insert = format!(
            "INSERT INTO apps \
             (id, tenant_id, name, mode, description, enable_site, enable_api, created_by, updated_at) \
             VALUES ('{id}', '{workspace}', '{name}', '{mode}', 'About it', TRUE, TRUE, '{alice}', '{updated_at}')"
        );
        execute(&self.sql, &insert).await;
        id
    }

    /// A backslash in a string literal of this database.
    fn backslash(&self) -> &'static str {
        if self.sql.backend == sea_orm::DbBackend::MySql { r"\\" } else { r"\" }
    }

    async fn set(&self, app: AppId, what: &str) {
        execute(&self.sql, &format!("UPDATE apps SET {what} WHERE id = '{app}'")).await;
    }

    async fn tag(&self, name: &str, kind: &str, workspace: WorkspaceId, apps: &[AppId]) {
        let (id, alice) = (Uuid::new_v4(), self.alice);
        let tag = format!(
            "INSERT INTO tags (id, tenant_id, type, name, created_by) \
             VALUES ('{id}', '{workspace}', '{kind}', '{name}', '{alice}')"
        );
        execute(&self.sql, &tag).await;
        for app in apps {
            let binding = format!(
                "INSERT INTO tag_bindings (id, tenant_id, tag_id, target_id, created_by) \
                 VALUES ('{}', '{workspace}', '{id}', '{app}', '{alice}')",
                Uuid::new_v4()
            );
            execute(&self.sql, &binding).await;
        }
    }

    async fn list(&self, mode: Option<&str>, name: Option<&str>, tag: Option<&str>) -> Page<AppSummary> {
        let filter = AppFilter::parse(mode, name, tag).unwrap();
        let (membership, page) = self.sql.list_apps(self.alice, self.workspace, &filter, FIRST).await.unwrap();
        assert_eq!(membership, MembershipStatus::Member(self.workspace));
        assert_eq!(page.total, page.data.len() as u64);
        page
    }

    async fn names(&self, mode: Option<&str>, name: Option<&str>, tag: Option<&str>) -> Vec<String> {
        self.list(mode, name, tag).await.data.into_iter().map(|app| app.name).collect()
    }
}

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
    let found = fixture.sql.find_app(fixture.alice, ids[0], None, AppDetail::Outline).await.unwrap().1.unwrap();
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

async fn strangers_and_inactive_accounts_find_no_apps(sql: SqlStore) {
    let fixture = AppFixture::new(sql).await;
    let app = fixture.app("Secret", "chat", 1).await;
    let bob = account_id(&create_account(&fixture.sql, "bob@example.com").await);
    let list = async |who, workspace| {
        let (membership, page) = fixture.sql.list_apps(who, workspace, &AppFilter::default(), FIRST).await.unwrap();
        (membership, page.total, page.data.len())
    };
    let other = WorkspaceId(Uuid::new_v4());
    assert_eq!(list(bob, fixture.workspace).await, (MembershipStatus::NotMember, 0, 0));
    assert_eq!(list(fixture.alice, other).await, (MembershipStatus::NotMember, 0, 0));
    assert_eq!(list(AccountId(Uuid::new_v4()), fixture.workspace).await, (MembershipStatus::Inactive, 0, 0));
    let named = fixture.sql.find_apps_named(bob, fixture.workspace, "Secret").await.unwrap();
    assert_eq!(named, (MembershipStatus::NotMember, Vec::new()));
    let find = async |who, id, workspace| {
        fixture
            .sql
            .find_app(who, id, workspace, AppDetail::Outline)
            .await
            .map(|(membership, app)| (membership, app.is_some()))
    };
    let (unknown, ours) = (AppId(Uuid::new_v4()), Some(fixture.workspace));
    assert_eq!(find(bob, app, None).await.unwrap().0, MembershipStatus::NotMember);
    assert_eq!(find(bob, app, ours).await.unwrap().0, MembershipStatus::NotMember);
    assert_eq!(find(bob, unknown, None).await.unwrap(), (MembershipStatus::NotMember, false));
    assert_eq!(find(fixture.alice, unknown, None).await.unwrap(), (MembershipStatus::NotMember, false));
    assert_eq!(find(fixture.alice, unknown, ours).await.unwrap(), (MembershipStatus::Member(fixture.workspace), false));
    assert_eq!(find(fixture.alice, app, Some(other)).await.unwrap().0, MembershipStatus::NotMember);
    assert_eq!(find(fixture.alice, app, None).await.unwrap(), (MembershipStatus::Member(fixture.workspace), true));
    assert_eq!(fixture.sql.find_membership_status(bob, fixture.workspace).await.unwrap(), MembershipStatus::NotMember);
    fixture.sql.add_member(fixture.workspace, "bob@example.com", WorkspaceRole::Normal, start()).await.unwrap();
    assert_eq!(list(bob, fixture.workspace).await, (MembershipStatus::Member(fixture.workspace), 1, 1));
    fixture.sql.set_account_status("bob@example.com", AccountStatus::Banned, start()).await.unwrap();
    assert_eq!(list(bob, fixture.workspace).await, (MembershipStatus::Inactive, 0, 0));
    assert_eq!(find(bob, app, None).await.unwrap().0, MembershipStatus::Inactive);
    assert_eq!(
        fixture.sql.find_apps_named(bob, fixture.workspace, "Secret").await.unwrap().0,
        MembershipStatus::Inactive
    );
    assert_eq!(fixture.sql.find_membership_status(bob, fixture.workspace).await.unwrap(), MembershipStatus::Inactive);
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

async fn find_app_reads_the_definition(sql: SqlStore) {
    let fixture = AppFixture::new(sql).await;
    let chat = fixture.app("Chat", "chat", 1).await;
    let (config, graph) = (Uuid::new_v4(), Uuid::new_v4());
    let model = json!({"provider": "echo", "name": "echo"});
    execute(
        &fixture.sql,
        &format!(
            "INSERT INTO app_model_configs \
             (id, app_id, model, user_input_form, pre_prompt, agent_mode, opening_statement, file_upload) \
             VALUES ('{config}', '{chat}', '{model}', 'not JSON', 'Be kind.', '{{\"enabled\": true}}', 'Hello', '')"
        ),
    )
    .await;
    let find = async |id, wanted| fixture.sql.find_app(fixture.alice, id, None, wanted).await.unwrap().1.unwrap();
    assert!(find(chat, AppDetail::Published).await.definition.is_none(), "nothing is published");
    fixture.set(chat, &format!("app_model_config_id = '{config}', max_active_requests = 3")).await;
    let app = find(chat, AppDetail::Published).await;
    assert!(app.agent_enabled && app.status.is(AppStatus::Normal) && app.enable_api);
    assert_eq!(
        (app.author_name.as_deref(), app.description.as_str(), app.updated_at),
        (Some("Somebody"), "About it", later(-1))
    );
    let runnable = app.runnable().unwrap();
    assert_eq!((runnable.id, runnable.workspace_id, runnable.max_active_requests), (chat, fixture.workspace, Some(3)));
    let Some(Definition::Model(found)) = app.definition else { panic!("a chat has a model") };
    assert_eq!((found.id.0, &found.model, found.prompt_type.as_str()), (config, &model, "simple"));
    assert_eq!((found.pre_prompt.as_str(), found.opening_statement.as_str()), ("Be kind.", "Hello"));
    assert!(found.user_input_form.is_null() && found.file_upload.is_null() && found.chat_prompt_config.is_null());
    let outline = find(chat, AppDetail::Outline).await;
    assert!(outline.agent_enabled && outline.definition.is_none());

    let flow = fixture.app("Flow", "workflow", 1).await;
    let nodes = json!({"nodes": [], "edges": []});
    insert_workflow(&fixture, graph, flow, "2026-04-01 08:00:00", &nodes.to_string()).await;
    fixture.set(flow, &format!("workflow_id = '{graph}', max_active_requests = -1")).await;
    let app = find(flow, AppDetail::Published).await;
    assert_eq!(app.max_active_requests, None);
    let Some(Definition::Workflow(found)) = app.definition else { panic!("a workflow has a graph") };
    assert_eq!((found.id.0, found.graph, found.version.as_str()), (graph, nodes, "2026-04-01 08:00:00"));
    assert_eq!((found.features, found.environment_variables), (json!({}), json!({})));
    let channel = fixture.app("Channel", "channel", 1).await;
    fixture.set(channel, &format!("app_model_config_id = '{config}'")).await;
    let app = find(channel, AppDetail::Published).await;
    assert!(app.runnable().is_none() && app.definition.is_none());
}

async fn insert_workflow(fixture: &AppFixture, id: Uuid, app: AppId, version: &str, graph: &str) {
    let (workspace, alice) = (fixture.workspace, fixture.alice);
    let insert = format!(
        "INSERT INTO workflows (id, tenant_id, app_id, type, version, graph, features, created_by, updated_at) \
         VALUES \
         ('{id}', '{workspace}', '{app}', 'workflow', '{version}', '{graph}', '{{}}', '{alice}', CURRENT_TIMESTAMP)"
    );
    execute(&fixture.sql, &insert).await;
}

async fn find_app_reads_versions_of_the_app_but_no_drafts(sql: SqlStore) {
    let fixture = AppFixture::new(sql).await;
    let (one, other) = (fixture.app("One", "workflow", 1).await, fixture.app("Other", "workflow", 1).await);
    let [published, older, draft, others] = [0; 4].map(|_| Uuid::new_v4());
    for (id, app, version) in [(published, one, "2"), (older, one, "1"), (draft, one, "draft"), (others, other, "1")] {
        insert_workflow(&fixture, id, app, version, "{}").await;
    }
    fixture.set(one, &format!("workflow_id = '{published}'")).await;
    let version = async |id| {
        let wanted = AppDetail::Version(WorkflowId(id));
        let (_, app) = fixture.sql.find_app(fixture.alice, one, Some(fixture.workspace), wanted).await.unwrap();
        app.unwrap().definition.map(|definition| match definition {
            Definition::Workflow(workflow) => workflow.version,
            Definition::Model(_) => panic!("a workflow has a graph"),
        })
    };
    assert_eq!(version(older).await.as_deref(), Some("1"));
    assert_eq!(version(published).await.as_deref(), Some("2"));
    for id in [draft, others, Uuid::new_v4()] {
        assert_eq!(version(id).await, None);
    }
}

async fn find_apps_named_matches_exact_names_of_callable_apps(sql: SqlStore) {
    let fixture = AppFixture::new(sql).await;
    let named = async |name: &str| {
        let (membership, apps) = fixture.sql.find_apps_named(fixture.alice, fixture.workspace, name).await.unwrap();
        assert_eq!(membership, MembershipStatus::Member(fixture.workspace));
        apps
    };
    let newer = fixture.app("Twin", "chat", 1).await;
    let older = fixture.app("Twin", "completion", 2).await;
    let hidden = fixture.app("Twin", "chat", 3).await;
    fixture.set(hidden, "enable_api = FALSE").await;
    let archived = fixture.app("Gone", "chat", 3).await;
    fixture.set(archived, "status = 'archived'").await;
    assert_eq!(
        named("Twin").await,
        [(newer, StoredValue::Known(AppMode::Chat)), (older, StoredValue::Known(AppMode::Completion))]
    );
    for name in ["twin", "Twin ", "Twi", "Twín", "%", "", "Gone", "Tw\0in", "\0"] {
        assert!(named(name).await.is_empty(), "{name}");
    }
    for _ in 0..25 {
        fixture.app("Many", "chat", 1).await;
    }
    assert_eq!(named("Many").await.len(), 20);
}

#[tokio::test]
async fn app_statements_use_indexes() {
    let sql = open("sqlite::memory:".to_owned()).await;
    migrate_with_account(&sql).await;
    let apps = &sql.rendered.apps;
    let statements =
        [&apps.membership, &apps.membership_and_total, &apps.page].into_iter().chain(apps.find.iter().flatten());
    for statement in statements {
        let explained =
            Statement::from_string(sql.backend, format!("EXPLAIN QUERY PLAN {}", statement.replace('?', "'1'")));
        for row in sql.db.query_all_raw(explained).await.unwrap() {
            let step: String = row.try_get_by("detail").unwrap();
            assert!(!step.starts_with("SCAN") && !step.contains("TEMP B-TREE"), "{step} in {statement}");
        }
    }
}
