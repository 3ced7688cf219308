//! The list of an account's browser sessions, and their end by the account.

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, DbErr, EntityTrait, Order, PaginatorTrait, QueryFilter, QueryResult,
    sea_query::{ExprTrait, Query},
};

use super::{db_uuid::DbUuid, entity::browser_session as browser, sql_store::SqlStore, timestamp::to_micros};
use crate::domain::{
    browser_session::{BrowserSession, BrowserSessions},
    error::Result,
    id::{AccountId, BrowserSessionId},
};

impl SqlStore {
    /// The account's live browser sessions: their number, and the newest ones.
    pub async fn list_browser_sessions(
        &self,
        account: AccountId,
        limit: u64,
        now: DateTime<Utc>,
    ) -> Result<BrowserSessions> {
        let is_listed =
            browser::Column::AccountId.eq(self.id(account.0)).and(browser::Column::ExpiresAt.gt(to_micros(now)));
        let all = browser::Entity::find().filter(is_listed.clone());
        let total = self.read(|| all.clone().count(&self.db)).await?;
        let select = Query::select()
            .columns([
                browser::Column::Id,
                browser::Column::CreatedAt,
                browser::Column::RefreshedAt,
                browser::Column::ExpiresAt,
                browser::Column::CreatedIp,
                browser::Column::UserAgent,
                browser::Column::LastIp,
                browser::Column::LastUserAgent,
            ])
            .from(browser::Entity)
            .and_where(is_listed)
            .order_by(browser::Column::CreatedAt, Order::Desc)
            .order_by(browser::Column::Id, Order::Asc)
            .limit(limit)
            .take();
        let newest = self.query_all(&select).await?.iter().map(read_session).collect::<Result<_, DbErr>>()?;
        Ok(BrowserSessions { total, newest })
    }

    /// Ends one of the account's browser sessions. Returns `false` when it has none with this id.
    pub async fn end_browser_session(&self, account: AccountId, id: BrowserSessionId) -> Result<bool> {
        let delete = browser::Entity::delete_many()
            .filter(browser::Column::Id.eq(self.id(id.0)))
            .filter(browser::Column::AccountId.eq(self.id(account.0)));
        Ok(self.call("DELETE", delete.exec(&self.db)).await?.rows_affected == 1)
    }

    /// Ends every browser session of the account but one. Returns the number.
    pub async fn end_other_browser_sessions(&self, account: AccountId, kept: BrowserSessionId) -> Result<u64> {
        let delete = browser::Entity::delete_many()
            .filter(browser::Column::AccountId.eq(self.id(account.0)))
            .filter(browser::Column::Id.ne(self.id(kept.0)));
        Ok(self.call("DELETE", delete.exec(&self.db)).await?.rows_affected)
    }
}

fn read_session(row: &QueryResult) -> Result<BrowserSession, DbErr> {
    Ok(BrowserSession {
        id: BrowserSessionId(row.try_get_by::<DbUuid, _>("id")?.uuid()),
        created_at: row.try_get_by("created_at")?,
        refreshed_at: row.try_get_by("refreshed_at")?,
        expires_at: row.try_get_by("expires_at")?,
        created_ip: row.try_get_by("created_ip")?,
        user_agent: row.try_get_by("user_agent")?,
        last_ip: row.try_get_by("last_ip")?,
        last_user_agent: row.try_get_by("last_user_agent")?,
    })
}
