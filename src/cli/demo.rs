//! The demo data of `dev`: two accounts, two workspaces, and an app of every mode.

use super::{error::CommandError, operator::Operator};
use crate::{
    domain::{app::file::ImportTarget, secret::Secret, workspace::WorkspaceRole},
    dsl,
    memory::MemoryLedger,
    service::password::Passwords,
    store::sql::SqlStore,
};

/// Email address of the owner of both workspaces.
pub(super) const DEMO: &str = "demo@example.com";
/// Email address of a member of the first workspace.
pub(super) const MEMBER: &str = "member@example.com";
/// Password of both accounts; the start screen shows it.
pub(super) const PASSWORD: &str = "demo-password-1";
/// The first workspace; it has the apps.
const WORKSPACE: &str = "Demo Workspace";

/// Adds the demo data that is missing. Accounts and apps that exist are not changed.
pub(super) async fn add(sql: &SqlStore) -> Result<(), CommandError> {
    if sql.list_accounts().await?.is_empty() {
        add_accounts(sql).await?;
    }
    add_apps(sql).await
}

async fn add_accounts(sql: &SqlStore) -> Result<(), CommandError> {
    let now = Operator::now();
    let hash = Passwords::new(&MemoryLedger::unlimited())?.hash(Secret::new(PASSWORD)).await?;
    sql.create_account(DEMO, "Demo", Some(&hash), now).await?;
    sql.create_account(MEMBER, "Member", Some(&hash), now).await?;
    let workspace = sql.create_workspace(WORKSPACE, DEMO, now).await?;
    sql.create_workspace("Second Workspace", DEMO, now + chrono::TimeDelta::seconds(1)).await?;
    sql.add_member(workspace, MEMBER, WorkspaceRole::Normal, now).await?;
    Ok(())
}

/// Imports the demo apps whose names the workspace does not have.
async fn add_apps(sql: &SqlStore) -> Result<(), CommandError> {
    let workspaces = sql.list_workspaces().await?;
    let Some(workspace) = workspaces.iter().find(|workspace| workspace.name == WORKSPACE) else { return Ok(()) };
    let existing = sql.list_workspace_apps(workspace.id).await?;
    for (file, n) in dsl::demo::FILES.into_iter().zip(0..) {
        let app = dsl::read(file).map_err(CommandError::other)?.app;
        if existing.iter().all(|known| known.name != app.name) {
            // One second apart, so that lists by time have a fixed order.
            let at = Operator::now() + chrono::TimeDelta::seconds(n);
            sql.import_app(workspace.id, &app, ImportTarget::Named, at).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sql::{SqlOptions, tests::test_keys};

    #[tokio::test]
    async fn demo_apps_are_added_once_and_changed_ones_are_kept() {
        let directory = tempfile::tempdir().unwrap();
        let url = Secret::new(format!("sqlite://{}?mode=rwc", directory.path().join("dev.db").display()));
        let sql = SqlStore::connect(SqlOptions::new(url, 2, test_keys())).await.unwrap();
        sql.migrate_up(false).await.unwrap();
        add(&sql).await.unwrap();
        let workspace = sql.list_workspaces().await.unwrap().into_iter().find(|found| found.name == WORKSPACE).unwrap();
        let first = sql.list_workspace_apps(workspace.id).await.unwrap();
        assert_eq!(first.len(), dsl::demo::FILES.len());
        assert!(first.iter().all(|app| app.published));

        let mut changed = sql.export_app(first[0].id).await.unwrap();
        changed.description = "changed".to_owned();
        sql.import_app(workspace.id, &changed, ImportTarget::Named, Operator::now()).await.unwrap();
        add(&sql).await.unwrap();
        assert_eq!(sql.list_workspace_apps(workspace.id).await.unwrap(), first);
        assert_eq!(sql.export_app(first[0].id).await.unwrap(), changed);
    }
}
