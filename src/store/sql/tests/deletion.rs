//! Deletions of apps, workspaces and accounts, and changes of members.

use super::{
    app_files::{file, workspace},
    runs::{chat_run, conversation_id, graph_run},
    *,
};
use crate::domain::{
    access_mode::AccessMode,
    app::{AppMode, file::ImportTarget},
    connection::{
        client::StoredClient,
        credential::{CredentialType, NEVER, NewConnection, Visibility},
    },
    conversation::EndUser,
    deletion::{DeletedApps, DeletionCounts},
    error::Code,
    id::{AppId, ConnectionId, WorkspaceId},
    member::Actor,
    workspace::WorkspaceRole,
};

conformance!(
    deleted_app_leaves_nothing_and_its_neighbour_stays,
    deleted_workspace_leaves_its_members_only,
    deleted_account_has_no_sessions_and_no_memberships,
    member_changes_spare_the_owner_and_strangers,
    names_change_and_unknown_rows_are_not_found,
);

/// Tables with rows of apps, and the columns that refer to one.
const OF_APPS: [&str; 11] = [
    "apps WHERE id",
    "app_model_configs WHERE app_id",
    "workflows WHERE app_id",
    "api_tokens WHERE app_id",
    "tag_bindings WHERE target_id",
    "openapi_app_access WHERE app_id",
    "openapi_app_access_accounts WHERE app_id",
    "conversations WHERE app_id",
    "messages WHERE app_id",
    "workflow_runs WHERE app_id",
    "end_users WHERE app_id",
];

/// An app that has rows in every table of [`OF_APPS`], and a conversation with a variable.
async fn used_app(sql: &SqlStore, workspace: WorkspaceId, mode: AppMode, number: u128) -> AppId {
    let app = sql.import_app(workspace, &file(mode), ImportTarget::New, start()).await.unwrap().id;
    sql.set_access(app, AccessMode::Private, &["ada@example.com".to_owned()], "operator", start()).await.unwrap();
    sql.get_or_create_app_key(app, &Secret::new(format!("app-{number}")), start()).await.unwrap();
    let tag = Uuid::from_u128(number);
    execute(
        sql,
        &format!(
            "INSERT INTO tags (id, tenant_id, type, name, created_by) \
             VALUES ('{tag}', '{workspace}', 'app', 't{number}', '{tag}')"
        ),
    )
    .await;
    execute(
        sql,
        &format!(
            "INSERT INTO tag_bindings (id, tenant_id, tag_id, target_id, created_by) \
             VALUES ('{tag}', '{workspace}', '{tag}', '{app}', '{tag}')"
        ),
    )
    .await;
    let owner = EndUser { workspace_id: workspace, app_id: app, user: "ann".to_owned(), issuer: None };
    let mut run = if mode.has_graph() {
        graph_run(&owner)
    } else {
        chat_run(&owner, conversation_id(number), true, ("Hello", "Hi"), 0)
    };
    let message = run.message.as_mut().unwrap();
    (message.conversation_id, message.id.0) = (conversation_id(number), Uuid::from_u128(number));
    message.variables.insert("count".to_owned(), serde_json::json!(1));
    if let Some(workflow_run) = &mut run.workflow_run {
        workflow_run.id.0 = Uuid::from_u128(number);
    }
    sql.record_run(&run).await.unwrap();
    app
}

async fn count_of_app(sql: &SqlStore, app: AppId) -> Vec<i64> {
    let mut counts = Vec::new();
    for table in OF_APPS {
        counts.push(count(sql, &format!("{table} = '{app}'")).await);
    }
    counts
}

async fn deleted_app_leaves_nothing_and_its_neighbour_stays(sql: SqlStore) {
    let workspace = workspace(&sql).await;
    let chat = used_app(&sql, workspace, AppMode::Chat, 1).await;
    let graph = used_app(&sql, workspace, AppMode::AdvancedChat, 2).await;
    let before = count_of_app(&sql, graph).await;
    assert!(count_of_app(&sql, chat).await.iter().filter(|rows| **rows > 0).count() >= 9);
    let counts = sql.count_deleted(DeletedApps::One(graph)).await.unwrap();
    assert_eq!(counts, DeletionCounts { apps: 1, conversations: 1, runs: 1, connections: 0 });
    sql.delete_app(chat).await.unwrap();
    assert_eq!(count_of_app(&sql, chat).await, [0; 11]);
    assert_eq!(count(&sql, "openapi_conversation_variables").await, 1);
    assert_eq!(count_of_app(&sql, graph).await, before);
    assert_eq!(sql.delete_app(chat).await.unwrap_err().code(), Code::NotFound);
}

async fn deleted_workspace_leaves_its_members_only(sql: SqlStore) {
    let workspace = workspace(&sql).await;
    let other = sql.create_workspace("Other", "ada@example.com", later(1)).await.unwrap();
    used_app(&sql, workspace, AppMode::AdvancedChat, 1).await;
    let kept = used_app(&sql, other, AppMode::Chat, 2).await;
    let before = count_of_app(&sql, kept).await;
    let ada = sql.find_account_by_email("ada@example.com").await.unwrap().unwrap().id;
    for of in [workspace, other] {
        connect(&sql, of, ada, Visibility::Workspace).await;
        let client = StoredClient { enabled: true, sealed: Secret::new("sealed") };
        sql.put_workspace_client(Uuid::new_v4(), of, &"gmail".parse().unwrap(), &client).await.unwrap();
    }
    sql.delete_workspace(workspace).await.unwrap();
    assert_eq!(count_of_app(&sql, kept).await, before);
    for (table, rows) in [
        ("apps", 1),
        ("tags", 1),
        ("tenants", 1),
        ("tenant_account_joins", 1),
        ("accounts", 1),
        ("tool_builtin_providers", 1),
        ("openapi_connections", 1),
        ("tool_oauth_tenant_clients", 1),
    ] {
        assert_eq!(count(&sql, table).await, rows, "{table}");
    }
    assert_eq!(sql.delete_workspace(workspace).await.unwrap_err().code(), Code::NotFound);
}

async fn deleted_account_has_no_sessions_and_no_memberships(sql: SqlStore) {
    let workspace = workspace(&sql).await;
    let bob = create_account(&sql, "bob@example.com").await;
    let id = account_id(&bob);
    sql.add_member(workspace, "bob@example.com", WorkspaceRole::Editor, start()).await.unwrap();
    sql.mint(&new_session(&bob, "laptop", start())).await.unwrap();
    let private = connect(&sql, workspace, id, Visibility::OnlyMe).await;
    let shared = connect(&sql, workspace, id, Visibility::Workspace).await;
    let listed = sql.list_private_connections(id).await.unwrap();
    assert_eq!(listed.iter().map(|connection| connection.id).collect::<Vec<_>>(), [private]);
    let owner = sql.find_account_by_email("ada@example.com").await.unwrap().unwrap();
    assert_eq!(sql.delete_account(owner.id, later(1)).await.unwrap_err().code(), Code::AlreadyExists);
    assert_eq!(sql.delete_account(id, later(1)).await.unwrap().len(), 1);
    assert!(sql.find_account_by_email("bob@example.com").await.unwrap().is_none());
    assert_eq!(count(&sql, "tenant_account_joins").await, 1);
    assert_eq!(count(&sql, "oauth_access_tokens WHERE token_hash IS NOT NULL").await, 0);
    let kept = sql.list_connections(workspace, None).await.unwrap();
    assert_eq!(kept.iter().map(|connection| connection.id).collect::<Vec<_>>(), [shared]);
    assert_eq!(count(&sql, "openapi_connections").await, 1);
    assert_eq!(sql.delete_account(id, later(2)).await.unwrap_err().code(), Code::NotFound);
}

/// A new connection.
async fn connect(sql: &SqlStore, workspace: WorkspaceId, owner: AccountId, visibility: Visibility) -> ConnectionId {
    let id = ConnectionId(Uuid::new_v4());
    let new = NewConnection {
        id,
        workspace_id: workspace,
        owner,
        max_of_owner: 100,
        provider: "langgenius/gmail/gmail".to_owned(),
        name: None,
        kind: CredentialType::OAuth,
        visibility,
        sealed: Secret::new("sealed"),
        expires_at: NEVER,
        created_at: start(),
    };
    sql.create_connection(&new).await.unwrap();
    id
}

async fn member_changes_spare_the_owner_and_strangers(sql: SqlStore) {
    let workspace = workspace(&sql).await;
    let bob = account_id(&create_account(&sql, "bob@example.com").await);
    let ada = sql.find_account_by_email("ADA@example.com").await.unwrap().unwrap().id;
    let refused = |result: crate::domain::Result<()>| result.unwrap_err().code();
    let editor = WorkspaceRole::Editor;
    assert_eq!(refused(sql.set_member_role(workspace, bob, editor, Actor::Operator, later(1)).await), Code::NotFound);
    assert_eq!(refused(sql.remove_member(workspace, bob, Actor::Operator).await), Code::NotFound);
    sql.add_member(workspace, "bob@example.com", WorkspaceRole::Normal, start()).await.unwrap();
    sql.set_member_role(workspace, bob, editor, Actor::Operator, later(1)).await.unwrap();
    let view = sql.find_account_view(bob).await.unwrap().unwrap();
    assert!(view.memberships[0].role.is(editor));
    assert_eq!(
        refused(sql.set_member_role(workspace, bob, WorkspaceRole::Owner, Actor::Operator, later(1)).await),
        Code::InvalidParam
    );
    assert_eq!(
        refused(sql.set_member_role(workspace, ada, editor, Actor::Operator, later(1)).await),
        Code::InvalidRequest
    );
    assert_eq!(refused(sql.remove_member(workspace, ada, Actor::Operator).await), Code::InvalidRequest);
    sql.remove_member(workspace, bob, Actor::Operator).await.unwrap();
    assert!(sql.find_account_view(bob).await.unwrap().unwrap().memberships.is_empty());
}

async fn names_change_and_unknown_rows_are_not_found(sql: SqlStore) {
    let workspace = workspace(&sql).await;
    let ada = sql.find_account_by_email("ada@example.com").await.unwrap().unwrap().id;
    sql.rename_account(ada, "Ada Lovelace", later(1)).await.unwrap();
    sql.rename_workspace(workspace, "Renamed", later(1)).await.unwrap();
    let view = sql.find_account_view(ada).await.unwrap().unwrap();
    assert_eq!((view.account.name.as_str(), view.memberships[0].name.as_str()), ("Ada Lovelace", "Renamed"));
    let nothing = Uuid::new_v4();
    assert_eq!(sql.rename_account(AccountId(nothing), "x", later(1)).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(sql.rename_workspace(WorkspaceId(nothing), "x", later(1)).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(sql.set_app_enabled(AppId(nothing), true, later(1)).await.unwrap_err().code(), Code::NotFound);
}
