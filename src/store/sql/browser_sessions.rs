//! Browser sessions of a standalone server. A refresh token can be used once; a second use after a short grace ends the
//! session.

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter,
    sea_query::{Expr, ExprTrait, JoinType, Query},
};

use super::{
    columns::{read_account, read_word},
    db_uuid::DbUuid,
    entity::{account, browser_session as browser, spent_refresh_token as spent},
    error::SqlError,
    retry::with_retries,
    sql_store::SqlStore,
    timestamp::to_micros,
};
use crate::domain::{
    account::{Account, AccountStatus},
    browser_session::{NewBrowserSession, REFRESH_GRACE, Refresh},
    error::Result,
    id::{AccountId, BrowserSessionId},
    request_origin::RequestOrigin,
    secret::RefreshHash,
};

impl SqlStore {
    pub async fn create_browser_session(&self, new: &NewBrowserSession) -> Result<()> {
        let row = browser::ActiveModel {
            id: Set(self.id(new.id.0)),
            account_id: Set(self.id(new.account_id.0)),
            refresh_hash: Set(new.refresh_hash.expose().to_owned()),
            created_at: Set(to_micros(new.created_at)),
            expires_at: Set(to_micros(new.expires_at)),
            remember: Set(new.remember),
            previous_refresh_hash: Set(None),
            refreshed_at: Set(None),
            created_ip: Set(Some(new.origin.address.0.to_canonical().to_string())),
            user_agent: Set(new.origin.user_agent.clone()),
            last_ip: Set(None),
            last_user_agent: Set(None),
        };
        self.call("INSERT", browser::Entity::insert(row).exec_without_returning(&self.db)).await.map(|_| ())
    }

    /// The account of a live browser session, whatever the account's status. One statement.
    pub async fn find_browser_session(
        &self,
        id: BrowserSessionId,
        account: AccountId,
        now: DateTime<Utc>,
    ) -> Result<Option<Account>> {
        let values = [self.id(id.0).into(), self.id(account.0).into(), to_micros(now).into()];
        let row = self.query_one_raw(self.statement(&self.rendered.find_browser_session, values)).await?;
        Ok(row.as_ref().map(read_account).transpose()?)
    }

    /// Replaces a refresh token with the next one. Of many concurrent callers with the same token exactly one gets
    /// `Rotated`, the others `Superseded`. The account's status is read in the same transaction: otherwise a client
    /// could lose its token without getting the next one, and its second attempt would end the session.
    pub async fn rotate_refresh(
        &self,
        old: &RefreshHash,
        new: &RefreshHash,
        now: DateTime<Utc>,
        new_expires: DateTime<Utc>,
        origin: &RequestOrigin,
    ) -> Result<Refresh> {
        self.call("TRANSACTION", with_retries(|| self.try_rotate_refresh(old, new, now, new_expires, origin))).await
    }

    async fn try_rotate_refresh(
        &self,
        old: &RefreshHash,
        new: &RefreshHash,
        now: DateTime<Utc>,
        new_expires: DateTime<Utc>,
        origin: &RequestOrigin,
    ) -> Result<Refresh, SqlError> {
        let transaction = self.begin().await?;
        // The update comes first: a transaction that waited for it then reads the winner's spent token, on every
        // database.
        let rotated = browser::Entity::update_many()
            .col_expr(browser::Column::RefreshHash, Expr::value(new.expose()))
            .col_expr(browser::Column::ExpiresAt, Expr::value(to_micros(new_expires)))
            .col_expr(browser::Column::PreviousRefreshHash, Expr::value(old.expose()))
            .col_expr(browser::Column::RefreshedAt, Expr::value(to_micros(now)))
            .col_expr(browser::Column::LastIp, Expr::value(origin.address.0.to_canonical().to_string()))
            .col_expr(browser::Column::LastUserAgent, Expr::value(origin.user_agent.clone()))
            .filter(browser::Column::RefreshHash.eq(old.expose()))
            .filter(browser::Column::ExpiresAt.gt(to_micros(now)))
            .exec(&transaction)
            .await?;
        if rotated.rows_affected == 0 {
            return reject_replaced_token(transaction, old, now).await;
        }
        let column = |column| (browser::Entity, column);
        let select = Query::select()
            .columns([browser::Column::Id, browser::Column::AccountId, browser::Column::Remember].map(column))
            .column((account::Entity, account::Column::Status))
            .from(browser::Entity)
            .join(
                JoinType::InnerJoin,
                account::Entity,
                Expr::col((account::Entity, account::Column::Id)).equals(column(browser::Column::AccountId)),
            )
            .and_where(browser::Column::RefreshHash.eq(new.expose()))
            .take();
        let Some(row) = transaction.query_one(&select).await? else { return Ok(Refresh::Unknown) };
        if !read_word(&row, "status")?.is(AccountStatus::Active) {
            return Ok(Refresh::Unknown);
        }
        let id: DbUuid = row.try_get_by("id")?;
        let spent = spent::ActiveModel { refresh_hash: Set(old.expose().to_owned()), session_id: Set(id) };
        spent::Entity::insert(spent).exec_without_returning(&transaction).await?;
        let refresh = Refresh::Rotated {
            session_id: BrowserSessionId(id.uuid()),
            account_id: AccountId(row.try_get_by::<DbUuid, _>("account_id")?.uuid()),
            remember: row.try_get_by("remember")?,
        };
        transaction.commit().await?;
        Ok(refresh)
    }

    /// Ends a browser session. Returns `false` when it does not exist.
    pub async fn delete_browser_session(&self, id: BrowserSessionId) -> Result<bool> {
        let delete = browser::Entity::delete_many().filter(browser::Column::Id.eq(self.id(id.0)));
        Ok(self.call("DELETE", delete.exec(&self.db)).await?.rows_affected == 1)
    }

    /// Ends every browser session of an account.
    pub(super) async fn end_browser_sessions(
        &self,
        transaction: &DatabaseTransaction,
        account: DbUuid,
    ) -> Result<(), DbErr> {
        let delete = browser::Entity::delete_many().filter(browser::Column::AccountId.eq(account));
        delete.exec(transaction).await.map(|_| ())
    }
}

/// The outcome for a token that no live session has. The second use of a replaced token ends its session, unless the
/// token was replaced within the grace.
async fn reject_replaced_token(
    transaction: DatabaseTransaction,
    old: &RefreshHash,
    now: DateTime<Utc>,
) -> Result<Refresh, SqlError> {
    let family = Query::select()
        .column(spent::Column::SessionId)
        .from(spent::Entity)
        .and_where(spent::Column::RefreshHash.eq(old.expose()))
        .take();
    let Some(row) = transaction.query_one(&family).await? else { return Ok(Refresh::Unknown) };
    let id: DbUuid = row.try_get_by("session_id")?;
    let superseded = browser::Entity::find_by_id(id)
        .filter(browser::Column::PreviousRefreshHash.eq(old.expose()))
        .filter(browser::Column::RefreshedAt.gt(to_micros(now - REFRESH_GRACE)))
        .filter(browser::Column::ExpiresAt.gt(to_micros(now)));
    if superseded.one(&transaction).await?.is_some() {
        return Ok(Refresh::Superseded);
    }
    browser::Entity::delete_many().filter(browser::Column::Id.eq(id)).exec(&transaction).await?;
    transaction.commit().await?;
    Ok(Refresh::Reused)
}
