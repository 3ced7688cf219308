//! Deletes apps, workspaces and accounts of a standalone server.
//!
//! The history of an app goes first, in windows, so that no statement is long; the app goes last, in one transaction.
//! An interrupted deletion can be repeated.

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, PaginatorTrait, QueryFilter,
    sea_query::{Expr, ExprTrait, Query, SelectStatement, SimpleExpr},
};

use super::{
    db_uuid::DbUuid,
    entity::{
        account, api_token, app, app_access as access, app_access_account as allowed, app_model_config as config,
        conversation, conversation_variables, end_user, human_form, message, oauth_access_token as token, tag,
        tag_binding, tenant, tenant_account_join as join, tool_credential as credential, workflow, workflow_run as run,
    },
    error::SqlError,
    not_found::{app_not_found, workspace_not_found},
    retry::with_retries,
    sql_store::SqlStore,
};
use crate::domain::{
    deletion::{DeletedApps, DeletionCounts},
    error::{Code, Error, Result},
    id::{AccountId, AppId, WorkspaceId},
    session::RevokedSession,
    workspace::WorkspaceRole,
};

/// Rows that one statement looks at.
const WINDOW: u64 = 2_000;

impl SqlStore {
    /// Deletes an app with its versions, keys, tags, conversations and runs. Fails with `not_found`.
    pub async fn delete_app(&self, id: AppId) -> Result<()> {
        let is_app = app::Column::Id.eq(self.id(id.0));
        self.delete_history(&is_app).await?;
        let deletion = || async {
            let transaction = self.begin().await?;
            if delete_apps(&transaction, &is_app).await? == 0 {
                return Err(SqlError::from(app_not_found()));
            }
            Ok(transaction.commit().await?)
        };
        self.call("TRANSACTION", with_retries(deletion)).await
    }

    /// Deletes a workspace with its apps, tags, memberships and connections. Its members keep their accounts. Fails
    /// with
    /// `not_found`.
    pub async fn delete_workspace(&self, id: WorkspaceId) -> Result<()> {
        let tenant = self.id(id.0);
        let in_workspace = app::Column::TenantId.eq(tenant);
        self.delete_history(&in_workspace).await?;
        let deletion = || async {
            let transaction = self.begin().await?;
            let workspace = tenant::Entity::delete_by_id(tenant).exec(&transaction).await?;
            if workspace.rows_affected == 0 {
                return Err(SqlError::from(workspace_not_found()));
            }
            delete_apps(&transaction, &in_workspace).await?;
            tag::Entity::delete_many().filter(tag::Column::TenantId.eq(tenant)).exec(&transaction).await?;
            join::Entity::delete_many().filter(join::Column::TenantId.eq(tenant)).exec(&transaction).await?;
            self.delete_connections_of_workspace(&transaction, tenant).await?;
            Ok(transaction.commit().await?)
        };
        self.call("TRANSACTION", with_retries(deletion)).await
    }

    /// Deletes an account with its memberships and the connections that only it could use, and ends its sessions; the
    /// caller drops the returned hashes from the cache. What it made or shared stays. Fails with `not_found`, and with
    /// `already_exists` while it owns a workspace.
    pub async fn delete_account(&self, id: AccountId, now: DateTime<Utc>) -> Result<Vec<RevokedSession>> {
        self.call("TRANSACTION", with_retries(|| self.try_delete_account(self.id(id.0), now))).await
    }

    async fn try_delete_account(&self, id: DbUuid, now: DateTime<Utc>) -> Result<Vec<RevokedSession>, SqlError> {
        let transaction = self.begin().await?;
        let owned = Query::select()
            .column(join::Column::Id)
            .from(join::Entity)
            .and_where(join::Column::AccountId.eq(id))
            .and_where(join::Column::Role.eq(WorkspaceRole::Owner.as_str()))
            .lock(self.row_lock())
            .take();
        if transaction.query_one(&owned).await?.is_some() {
            return Err(Error::new(Code::AlreadyExists, "This account owns a workspace.")
                .with_hint("Delete the workspace first; `dify-openapi workspace list` lists them.")
                .into());
        }
        // Before the account is deleted, which clears `account_id`.
        let revoked = self.revoke_within(&transaction, token::Column::AccountId.eq(id), now).await?;
        if account::Entity::delete_by_id(id).exec(&transaction).await?.rows_affected == 0 {
            return Err(Error::not_found("There is no such account.").into());
        }
        self.end_browser_sessions(&transaction, id).await?;
        join::Entity::delete_many().filter(join::Column::AccountId.eq(id)).exec(&transaction).await?;
        allowed::Entity::delete_many().filter(allowed::Column::AccountId.eq(id)).exec(&transaction).await?;
        self.delete_private_connections(&transaction, id).await?;
        transaction.commit().await?;
        Ok(revoked)
    }

    /// Counts what a deletion of an app deletes, or of a workspace's apps.
    pub async fn count_deleted(&self, apps: DeletedApps) -> Result<DeletionCounts> {
        let (is_app, connections) = match apps {
            DeletedApps::One(id) => (app::Column::Id.eq(self.id(id.0)), 0),
            DeletedApps::OfWorkspace(id) => {
                let workspace = self.id(id.0);
                let connections = credential::Entity::find().filter(credential::Column::TenantId.eq(workspace));
                (app::Column::TenantId.eq(workspace), self.read(|| connections.clone().count(&self.db)).await?)
            }
        };
        let of_app = |column: SimpleExpr| column.in_subquery(ids_of_apps(&is_app));
        let apps = app::Entity::find().filter(is_app.clone());
        let conversations = conversation::Entity::find().filter(of_app(Expr::col(conversation::Column::AppId)));
        let runs = run::Entity::find().filter(of_app(Expr::col(run::Column::AppId)));
        Ok(DeletionCounts {
            apps: self.read(|| apps.clone().count(&self.db)).await?,
            conversations: self.read(|| conversations.clone().count(&self.db)).await?,
            runs: self.read(|| runs.clone().count(&self.db)).await?,
            connections,
        })
    }

    /// Deletes the conversations, runs and users of apps.
    async fn delete_history(&self, is_app: &SimpleExpr) -> Result<()> {
        let of_app = |column: SimpleExpr| column.in_subquery(ids_of_apps(is_app));
        let conversations = Query::select()
            .column(conversation::Column::Id)
            .from(conversation::Entity)
            .and_where(of_app(Expr::col(conversation::Column::AppId)))
            .take();
        let of_conversation = Expr::col(conversation_variables::Column::ConversationId).in_subquery(conversations);
        self.walk::<conversation_variables::Entity>(
            conversation_variables::Column::ConversationId,
            &of_conversation,
            WINDOW,
        )
        .await?;
        self.walk::<message::Entity>(message::Column::Id, &of_app(Expr::col(message::Column::AppId)), WINDOW).await?;
        self.walk::<conversation::Entity>(
            conversation::Column::Id,
            &of_app(Expr::col(conversation::Column::AppId)),
            WINDOW,
        )
        .await?;
        self.walk::<human_form::Entity>(human_form::Column::Id, &of_app(Expr::col(human_form::Column::AppId)), WINDOW)
            .await?;
        self.walk::<run::Entity>(run::Column::Id, &of_app(Expr::col(run::Column::AppId)), WINDOW).await?;
        self.walk::<end_user::Entity>(end_user::Column::Id, &of_app(Expr::col(end_user::Column::AppId)), WINDOW)
            .await?;
        Ok(())
    }
}

/// Deletes apps without their history. Returns their number.
async fn delete_apps(transaction: &DatabaseTransaction, is_app: &SimpleExpr) -> Result<u64, DbErr> {
    let of_app = |column: SimpleExpr| column.in_subquery(ids_of_apps(is_app));
    api_token::Entity::delete_many().filter(of_app(Expr::col(api_token::Column::AppId))).exec(transaction).await?;
    tag_binding::Entity::delete_many()
        .filter(of_app(Expr::col(tag_binding::Column::TargetId)))
        .exec(transaction)
        .await?;
    allowed::Entity::delete_many().filter(of_app(Expr::col(allowed::Column::AppId))).exec(transaction).await?;
    access::Entity::delete_many().filter(of_app(Expr::col(access::Column::AppId))).exec(transaction).await?;
    workflow::Entity::delete_many().filter(of_app(Expr::col(workflow::Column::AppId))).exec(transaction).await?;
    config::Entity::delete_many().filter(of_app(Expr::col(config::Column::AppId))).exec(transaction).await?;
    Ok(app::Entity::delete_many().filter(is_app.clone()).exec(transaction).await?.rows_affected)
}

fn ids_of_apps(is_app: &SimpleExpr) -> SelectStatement {
    Query::select().column(app::Column::Id).from(app::Entity).and_where(is_app.clone()).take()
}
