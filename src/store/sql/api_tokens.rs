//! Keys of Dify's service API, of which an app that is run here has at least one.

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, Order, QueryResult,
    sea_query::{Query, SelectStatement},
};
use uuid::Uuid;

use super::{
    DbUuid, SqlStore,
    entity::{api_token, app},
    error::{SqlError, retried},
    limited, naive,
};
use crate::domain::{Error, Result, id::AppId, secret::Secret};

/// `api_tokens.type` of a key that runs an app.
const APP: &str = "app";

/// An app's key.
#[derive(Clone, Debug)]
pub struct AppKey {
    /// The key.
    pub key: Secret,
    /// The row's id when this call wrote it.
    pub created_id: Option<Uuid>,
}

impl SqlStore {
    /// The key of an app: the oldest, where it has several.
    pub async fn find_app_key(&self, app: AppId) -> Result<Option<Secret>> {
        let row = self.row(&self.select_app_key(app)).await?;
        Ok(row.as_ref().map(read_key).transpose()?)
    }

    /// The key of an app, which becomes `fresh` when it has none. However many ask at once, on however many replicas, one
    /// row comes of it. Fails with `not_found` when the app is gone.
    pub async fn get_or_create_app_key(&self, app: AppId, fresh: &Secret, now: DateTime<Utc>) -> Result<AppKey> {
        limited(retried(|| self.try_get_or_create_app_key(app, fresh, now))).await
    }

    async fn try_get_or_create_app_key(
        &self,
        app: AppId,
        fresh: &Secret,
        now: DateTime<Utc>,
    ) -> Result<AppKey, SqlError> {
        let transaction = self.begin().await?;
        let tenant = self.lock_app(&transaction, app).await?;
        // Only now, and not locking: on MySQL the first plain read of a transaction decides what it sees, and reading for
        // update would lock the gap where the row is missing, of neighbouring apps too.
        if let Some(row) = transaction.query_one(&self.select_app_key(app)).await? {
            return Ok(AppKey { key: read_key(&row)?, created_id: None });
        }
        let id = Uuid::new_v4();
        let row = api_token::ActiveModel {
            id: Set(self.id(id)),
            app_id: Set(Some(self.id(app.0))),
            r#type: Set(APP.to_owned()),
            token: Set(fresh.expose().to_owned()),
            last_used_at: Set(None),
            created_at: Set(naive(now)),
            tenant_id: Set(Some(tenant)),
        };
        api_token::Entity::insert(row).exec_without_returning(&transaction).await?;
        transaction.commit().await?;
        Ok(AppKey { key: fresh.clone(), created_id: Some(id) })
    }

    /// Locks the app's row, so that keys for it are made one after the other: `api_tokens` has no index that would see to
    /// it, and is not ours to alter.
    async fn lock_app(&self, transaction: &DatabaseTransaction, app: AppId) -> Result<DbUuid, SqlError> {
        let select = Query::select()
            .column(app::Column::TenantId)
            .from(app::Entity)
            .and_where(app::Column::Id.eq(self.id(app.0)))
            .lock(self.row_lock())
            .take();
        match transaction.query_one(&select).await? {
            Some(row) => Ok(row.try_get_by("tenant_id")?),
            None => Err(Error::not_found("There is no such app.").into()),
        }
    }

    fn select_app_key(&self, app: AppId) -> SelectStatement {
        Query::select()
            .column(api_token::Column::Token)
            .from(api_token::Entity)
            .and_where(api_token::Column::AppId.eq(self.id(app.0)))
            .and_where(api_token::Column::Type.eq(APP))
            .order_by(api_token::Column::CreatedAt, Order::Asc)
            .order_by(api_token::Column::Id, Order::Asc)
            .limit(1)
            .take()
    }
}

fn read_key(row: &QueryResult) -> Result<Secret, DbErr> {
    Ok(Secret::new(row.try_get_by::<String, _>("token")?))
}
