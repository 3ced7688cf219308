//! Whether clients can call an app (`apps.enable_api`).

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};

use super::{entity::app, not_found::app_not_found, sql_store::SqlStore, timestamp::naive_utc};
use crate::domain::{error::Result, id::AppId};

impl SqlStore {
    /// Makes an app callable, or stops that. Fails with `not_found`.
    pub async fn set_app_enabled(&self, id: AppId, enabled: bool, now: DateTime<Utc>) -> Result<()> {
        let update = app::Entity::update_many()
            .col_expr(app::Column::EnableApi, Expr::value(enabled))
            .col_expr(app::Column::UpdatedAt, Expr::value(naive_utc(now)))
            .filter(app::Column::Id.eq(self.id(id.0)));
        match self.call("UPDATE", update.exec(&self.db)).await?.rows_affected {
            0 => Err(app_not_found()),
            _ => Ok(()),
        }
    }
}
