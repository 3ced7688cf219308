//! What the daily retention job deletes. Every step can be run again.
//!
//! Tables are walked once, in the order of their keys, a window of rows at a time: no index tells when a session ended, and a
//! search for the next ones to delete would read all that live, and all that were deleted before, again for each batch.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter,
    sea_query::{Expr, ExprTrait, Order, Query, SimpleExpr},
};
use tokio::time::{Instant, sleep};

use super::{
    DbUuid, SqlStore,
    entity::{browser_session, oauth_access_token as token, session},
    instant, limited,
};
use crate::domain::Result;

/// The longest pause between two windows. It is as long as the window took, so that half the time is everybody else's.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

impl SqlStore {
    /// Deletes sessions that were revoked or expired before a moment, looking at `window` rows at a time, and says how many.
    pub async fn delete_ended_sessions(&self, before: DateTime<Utc>, window: u64) -> Result<u64> {
        let ended = token::Column::RevokedAt.lt(instant(before)).or(token::Column::ExpiresAt.lt(instant(before)));
        let deleted = self.walk::<token::Entity>(token::Column::Id, &ended, window).await?;
        // Rows of ours whose token is gone: deleted above, or by Dify's own job.
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

    /// Deletes the rows of a table that meet a condition, from its first key to its last.
    async fn walk<E: EntityTrait>(&self, key: E::Column, condition: &SimpleExpr, window: u64) -> Result<u64> {
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
            let last = self.row(&next).await?.map(|row| row.try_get_by::<DbUuid, _>("id")).transpose()?;
            if let Some(last) = last {
                delete = delete.filter(key.lte(last));
            }
            deleted += limited(delete.exec(&self.db)).await?.rows_affected;
            if last.is_none() {
                return Ok(deleted);
            }
            after = last;
            sleep(began.elapsed().min(LONGEST_PAUSE)).await;
        }
    }

    /// Deletes browser sessions that ended before a moment, looking at `window` rows at a time, and says how many.
    pub async fn delete_ended_browser_sessions(&self, before: DateTime<Utc>, window: u64) -> Result<u64> {
        let ended = browser_session::Column::ExpiresAt.lt(instant(before));
        self.walk::<browser_session::Entity>(browser_session::Column::Id, &ended, window).await
    }
}
