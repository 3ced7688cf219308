//! Deletions of the daily retention job. Every step can be repeated.
//!
//! A table is walked once, in the order of its keys, one window of rows at a time. No index covers the end of a
//! session, so a search for the next rows to delete would read all live rows again for each batch.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter,
    sea_query::{Expr, ExprTrait, Order, Query, SimpleExpr},
};
use tokio::time::{Instant, sleep};

use super::{
    db_uuid::DbUuid,
    entity::{browser_session, oauth_access_token as token, session},
    sql_store::SqlStore,
    timestamp::to_micros,
};
use crate::domain::error::Result;

/// Limit of the pause between two windows. The pause is as long as the window took, so that the job uses the database
/// at most half of the time.
const MAX_PAUSE: Duration = Duration::from_secs(1);

impl SqlStore {
    /// Deletes sessions that were revoked or expired before `before`, `window` rows at a time. Returns their number.
    pub async fn delete_ended_sessions(&self, before: DateTime<Utc>, window: u64) -> Result<u64> {
        let ended = token::Column::RevokedAt.lt(to_micros(before)).or(token::Column::ExpiresAt.lt(to_micros(before)));
        let deleted = self.walk::<token::Entity>(token::Column::Id, &ended, window).await?;
        // Rows of `openapi_sessions` whose token was deleted, above or by Dify's own job.
        let token = Query::select()
            .expr(Expr::val(1))
            .from(token::Entity)
            .and_where(
                Expr::col((token::Entity, token::Column::Id)).equals((session::Entity, session::Column::TokenId)),
            )
            .take();
        self.walk::<session::Entity>(session::Column::TokenId, &Expr::exists(token).not(), window).await?;
        Ok(deleted)
    }

    /// Deletes the rows of a table that meet a condition, in the order of their keys.
    pub(super) async fn walk<E: EntityTrait>(
        &self,
        key: E::Column,
        condition: &SimpleExpr,
        window: u64,
    ) -> Result<u64> {
        let (mut deleted, mut after) = (0, None::<DbUuid>);
        loop {
            let began = Instant::now();
            let mut next = Query::select();
            next.expr_as(key.into_expr(), "id").from(E::default()).order_by(key, Order::Asc).limit(1).offset(window);
            let mut delete = E::delete_many().filter(condition.clone());
            if let Some(after) = after {
                next.and_where(key.gt(after));
                delete = delete.filter(key.gt(after));
            }
            let last = self.query_one(&next).await?.map(|row| row.try_get_by::<DbUuid, _>("id")).transpose()?;
            if let Some(last) = last {
                delete = delete.filter(key.lte(last));
            }
            deleted += self.call("DELETE", delete.exec(&self.db)).await?.rows_affected;
            if last.is_none() {
                return Ok(deleted);
            }
            after = last;
            sleep(began.elapsed().min(MAX_PAUSE)).await;
        }
    }

    /// Deletes browser sessions that expired before `before`, `window` rows at a time. Returns their number.
    pub async fn delete_ended_browser_sessions(&self, before: DateTime<Utc>, window: u64) -> Result<u64> {
        let ended = browser_session::Column::ExpiresAt.lt(to_micros(before));
        self.walk::<browser_session::Entity>(browser_session::Column::Id, &ended, window).await
    }
}
