//! Apps: who sees them, and look-ups by name.

mod definition;
mod list;

use super::*;
use crate::domain::{
    account::AccountStatus,
    app::{
        AppMode,
        stored_app::AppDetail,
        summary::{AppFilter, AppSummary},
    },
    id::{AppId, WorkspaceId},
    page::{Page, PageRequest},
    stored::StoredValue,
    workspace::{MembershipStatus, WorkspaceRole},
};

conformance!(strangers_and_inactive_accounts_find_no_apps, find_apps_named_matches_exact_names_of_callable_apps,);

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
            .find_app(who, id, workspace, AppDetail::Outline, &mut |_| Ok(()))
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
