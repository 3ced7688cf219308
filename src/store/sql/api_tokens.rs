//! Keys of Dify's service API. An app whose runs are forwarded needs one.

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, Order, QueryResult,
    sea_query::{Query, SelectStatement},
};
use uuid::Uuid;

use super::{
    db_uuid::DbUuid,
    entity::{api_token, app},
    error::SqlError,
    not_found::app_not_found,
    retry::with_retries,
    sql_store::SqlStore,
    timestamp::naive_utc,
};
use crate::domain::{error::Result, id::AppId, secret::Secret};

/// `api_tokens.type` of an app's key.
const APP_KEY_TYPE: &str = "app";

#[derive(Clone, Debug)]
pub struct AppKey {
    pub key: Secret,
    /// The row's id if this call created it.
    pub created_id: Option<Uuid>,
}

impl SqlStore {
    /// The key of an app; the oldest if it has several.
    pub async fn find_app_key(&self, app: AppId) -> Result<Option<Secret>> {
        let row = self.query_one(&self.select_app_key(app)).await?;
        Ok(row.as_ref().map(read_key).transpose()?)
    }

    /// The key of an app, or `fresh` as its first key. Concurrent calls on any number of replicas create one row. Fails
    /// with `not_found` when the app does not exist.
    pub async fn get_or_create_app_key(&self, app: AppId, fresh: &Secret, now: DateTime<Utc>) -> Result<AppKey> {
        self.call("TRANSACTION", with_retries(|| self.try_get_or_create_app_key(app, fresh, now))).await
    }

    async fn try_get_or_create_app_key(
        &self,
        app: AppId,
        fresh: &Secret,
        now: DateTime<Utc>,
    ) -> Result<AppKey, SqlError> {
        let transaction = self.begin().await?;
        let tenant = self.lock_app(&transaction, app).await?;
        // After the lock, because on MySQL the first plain read of a transaction fixes its snapshot. Without FOR
        // UPDATE, because that would lock the gap where the row is missing, which neighbouring apps share.
        if let Some(row) = transaction.query_one(&self.select_app_key(app)).await? {
            return Ok(AppKey { key: read_key(&row)?, created_id: None });
        }
        let id = Uuid::new_v4();
        let row = api_token::ActiveModel {
            id: Set(self.id(id)),
            app_id: Set(Some(self.id(app.0))),
            r#type: Set(APP_KEY_TYPE.to_owned()),
            token: Set(fresh.expose().to_owned()),
            last_used_at: Set(None),
            created_at: Set(naive_utc(now)),
            tenant_id: Set(Some(tenant)),
        };
        api_token::Entity::insert(row).exec_without_returning(&transaction).await?;
        transaction.commit().await?;
        Ok(AppKey { key: fresh.clone(), created_id: Some(id) })
    }

    /// Locks the app's row, so that its keys are created one after the other. `api_tokens` is Dify's and has no unique
    /// index for that.
    async fn lock_app(&self, transaction: &DatabaseTransaction, app: AppId) -> Result<DbUuid, SqlError> {
        let select = Query::select()
            .column(app::Column::TenantId)
            .from(app::Entity)
            .and_where(app::Column::Id.eq(self.id(app.0)))
            .lock(self.row_lock())
            .take();
        match transaction.query_one(&select).await? {
            Some(row) => Ok(row.try_get_by("tenant_id")?),
            None => Err(app_not_found().into()),
        }
    }

    fn select_app_key(&self, app: AppId) -> SelectStatement {
        Query::select()
            .column(api_token::Column::Token)
            .from(api_token::Entity)
            .and_where(api_token::Column::AppId.eq(self.id(app.0)))
            .and_where(api_token::Column::Type.eq(APP_KEY_TYPE))
            .order_by(api_token::Column::CreatedAt, Order::Asc)
            .order_by(api_token::Column::Id, Order::Asc)
            .limit(1)
            .take()
    }
}

fn read_key(row: &QueryResult) -> Result<Secret, DbErr> {
    Ok(Secret::new(row.try_get_by::<String, _>("token")?))
}
