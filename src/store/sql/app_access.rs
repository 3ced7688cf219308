//! Access modes of apps, where no enterprise service decides: as the gates read them, and as operators write them.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, EntityTrait, ExprTrait as _, Order, PaginatorTrait, QueryFilter,
    sea_query::{Expr, JoinType, OnConflict, Query},
};

use super::{
    columns::read_word,
    db_uuid::DbUuid,
    entity::{account, app, app_access as access, app_access_account as allowed},
    error::SqlError,
    not_found::app_not_found,
    retry::with_retries,
    sql_store::SqlStore,
    timestamp::to_micros,
};
use crate::domain::{
    access_mode::AccessMode,
    app::access::AppAccess,
    error::Result,
    id::{AccountId, AppId, WorkspaceId},
    stored::StoredValue,
};

/// Apps that one statement names. Every database accepts 32,766 parameters.
const APPS_PER_STATEMENT: usize = 10_000;

impl SqlStore {
    /// The modes that were set. One statement for each 10,000 apps.
    pub async fn find_access_modes(&self, apps: &[AppId]) -> Result<HashMap<AppId, StoredValue<AccessMode>>> {
        let mut modes = HashMap::new();
        for apps in apps.chunks(APPS_PER_STATEMENT) {
            let select = Query::select()
                .columns([access::Column::AppId, access::Column::AccessMode])
                .from(access::Entity)
                .and_where(access::Column::AppId.is_in(self.ids(apps)))
                .take();
            for row in self.query_all(&select).await? {
                let app = AppId(row.try_get_by::<DbUuid, _>("app_id")?.uuid());
                modes.insert(app, read_word(&row, "access_mode")?);
            }
        }
        Ok(modes)
    }

    /// Those of these apps whose list of accounts has this one. One statement for each 10,000 apps.
    pub async fn find_permitted_apps(&self, account: AccountId, apps: &[AppId]) -> Result<HashSet<AppId>> {
        let mut permitted = HashSet::new();
        for apps in apps.chunks(APPS_PER_STATEMENT) {
            let select = Query::select()
                .column(allowed::Column::AppId)
                .from(allowed::Entity)
                .and_where(allowed::Column::AccountId.eq(self.id(account.0)))
                .and_where(allowed::Column::AppId.is_in(self.ids(apps)))
                .take();
            for row in self.query_all(&select).await? {
                permitted.insert(AppId(row.try_get_by::<DbUuid, _>("app_id")?.uuid()));
            }
        }
        Ok(permitted)
    }

    /// The access modes of a workspace's apps, by name. Two statements.
    pub async fn list_access(&self, workspace: WorkspaceId) -> Result<Vec<AppAccess>> {
        let app = |column| Expr::col((app::Entity, column));
        let mode = Expr::col((access::Entity, access::Column::AppId)).equals((app::Entity, app::Column::Id));
        let select = Query::select()
            .columns([app::Column::Id, app::Column::Name].map(|column| (app::Entity, column)))
            .column((access::Entity, access::Column::AccessMode))
            .from(app::Entity)
            .join(JoinType::LeftJoin, access::Entity, mode)
            .and_where(app(app::Column::TenantId).eq(self.id(workspace.0)))
            .order_by((app::Entity, app::Column::Name), Order::Asc)
            .order_by((app::Entity, app::Column::Id), Order::Asc)
            .take();
        let rows = self.query_all(&select).await?;
        let mut emails = self.list_allowed_emails(workspace).await?;
        let mut listed = Vec::with_capacity(rows.len());
        for row in &rows {
            let app_id = AppId(row.try_get_by::<DbUuid, _>("id")?.uuid());
            listed.push(AppAccess {
                app_id,
                name: row.try_get_by("name")?,
                mode: row.try_get_by::<Option<String>, _>("access_mode")?.map(StoredValue::from),
                allowed: emails.remove(&app_id).unwrap_or_default(),
            });
        }
        Ok(listed)
    }

    async fn list_allowed_emails(&self, workspace: WorkspaceId) -> Result<HashMap<AppId, Vec<String>>> {
        let is_app = Expr::col((app::Entity, app::Column::Id)).equals((allowed::Entity, allowed::Column::AppId));
        let is_account =
            Expr::col((account::Entity, account::Column::Id)).equals((allowed::Entity, allowed::Column::AccountId));
        let select = Query::select()
            .column((allowed::Entity, allowed::Column::AppId))
            .column((account::Entity, account::Column::Email))
            .from(allowed::Entity)
            .join(JoinType::InnerJoin, app::Entity, is_app)
            .join(JoinType::InnerJoin, account::Entity, is_account)
            .and_where(Expr::col((app::Entity, app::Column::TenantId)).eq(self.id(workspace.0)))
            .order_by((account::Entity, account::Column::Email), Order::Asc)
            .take();
        let mut emails: HashMap<_, Vec<_>> = HashMap::new();
        for row in self.query_all(&select).await? {
            let app = AppId(row.try_get_by::<DbUuid, _>("app_id")?.uuid());
            emails.entry(app).or_default().push(row.try_get_by("email")?);
        }
        Ok(emails)
    }

    /// Sets an app's mode and replaces its list of allowed accounts. Fails with `not_found` for an unknown app or email
    /// address.
    pub async fn set_access(
        &self,
        app: AppId,
        mode: AccessMode,
        emails: &[String],
        changed_by: &str,
        now: DateTime<Utc>,
    ) -> Result<()> {
        self.call("TRANSACTION", with_retries(|| self.try_set_access(app, mode, emails, changed_by, now))).await
    }

    async fn try_set_access(
        &self,
        app: AppId,
        mode: AccessMode,
        emails: &[String],
        changed_by: &str,
        now: DateTime<Utc>,
    ) -> Result<(), SqlError> {
        let transaction = self.begin().await?;
        if app::Entity::find_by_id(self.id(app.0)).count(&transaction).await? == 0 {
            return Err(app_not_found().into());
        }
        let mut accounts = BTreeSet::new();
        for email in emails {
            accounts.insert(self.lock_account(&transaction, email).await?.uuid());
        }
        let row = access::ActiveModel {
            app_id: Set(self.id(app.0)),
            access_mode: Set(mode.as_str().to_owned()),
            changed_by: Set(changed_by.to_owned()),
            changed_at: Set(to_micros(now)),
        };
        let on_conflict = OnConflict::column(access::Column::AppId)
            .update_columns([access::Column::AccessMode, access::Column::ChangedBy, access::Column::ChangedAt])
            .to_owned();
        access::Entity::insert(row).on_conflict(on_conflict).exec_without_returning(&transaction).await?;
        allowed::Entity::delete_many().filter(allowed::Column::AppId.eq(self.id(app.0))).exec(&transaction).await?;
        if !accounts.is_empty() {
            let rows = accounts
                .into_iter()
                .map(|account| allowed::ActiveModel { app_id: Set(self.id(app.0)), account_id: Set(self.id(account)) });
            allowed::Entity::insert_many(rows).exec_without_returning(&transaction).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    fn ids(&self, apps: &[AppId]) -> Vec<DbUuid> {
        apps.iter().map(|app| self.id(app.0)).collect()
    }
}
