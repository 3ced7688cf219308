//! What the daily retention job deletes. Every step can be run again.

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter,
    sea_query::{Expr, ExprTrait, JoinType, Query, SimpleExpr},
};

use super::{
    DbUuid, Sql,
    entity::{browser_session, oauth_access_token as token, session},
    instant, limited,
};
use crate::domain::Result;

impl Sql {
    /// Deletes sessions that were revoked or expired before a moment, `batch` rows at a time, and says how many.
    pub async fn delete_ended_sessions(&self, before: DateTime<Utc>, batch: u64) -> Result<u64> {
        let ended = token::Column::RevokedAt.lt(instant(before)).or(token::Column::ExpiresAt.lt(instant(before)));
        let select =
            Query::select().column(token::Column::Id).from(token::Entity).and_where(ended.clone()).limit(batch).take();
        let mut deleted = 0;
        loop {
            let ids = self.ids(&select).await?;
            if ids.is_empty() {
                break;
            }
            // An expired row that is not revoked may have been rotated meanwhile, so the condition is asked again.
            let delete = token::Entity::delete_many().filter(token::Column::Id.is_in(ids)).filter(ended.clone());
            deleted += limited(delete.exec(&self.db)).await?.rows_affected;
        }
        self.delete_orphans(batch).await?;
        Ok(deleted)
    }

    /// Deletes rows of `openapi_sessions` whose token is gone: deleted above, or by Dify's own job.
    async fn delete_orphans(&self, batch: u64) -> Result<()> {
        let same = Expr::col((token::Entity, token::Column::Id)).equals((session::Entity, session::Column::TokenId));
        let gone: SimpleExpr = Expr::col((token::Entity, token::Column::Id)).is_null();
        let select = Query::select()
            .expr_as(Expr::col((session::Entity, session::Column::TokenId)), "id")
            .from(session::Entity)
            .join(JoinType::LeftJoin, token::Entity, same)
            .and_where(gone)
            .limit(batch)
            .take();
        loop {
            let ids = self.ids(&select).await?;
            if ids.is_empty() {
                return Ok(());
            }
            limited(session::Entity::delete_many().filter(session::Column::TokenId.is_in(ids)).exec(&self.db)).await?;
        }
    }

    /// Deletes browser sessions that ended before a moment, and says how many.
    pub async fn delete_ended_browser_sessions(&self, before: DateTime<Utc>) -> Result<u64> {
        let delete =
            browser_session::Entity::delete_many().filter(browser_session::Column::ExpiresAt.lt(instant(before)));
        Ok(limited(delete.exec(&self.db)).await?.rows_affected)
    }

    async fn ids(&self, select: &sea_orm::sea_query::SelectStatement) -> Result<Vec<DbUuid>> {
        Ok(self.rows(select).await?.iter().map(|row| row.try_get_by("id")).collect::<Result<_, _>>()?)
    }
}
