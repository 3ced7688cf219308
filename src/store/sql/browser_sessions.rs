//! Browser sessions of a standalone server. Refresh tokens are single use, and using one again ends the session.

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter,
    sea_query::{Expr, ExprTrait, JoinType, Query},
};

use super::{
    DbUuid, SqlStore,
    entity::{account, browser_session as browser, spent_refresh_token as spent},
    error::{SqlError, retried},
    identity::read_account,
    instant, limited,
};
use crate::domain::{
    Result,
    account::Account,
    browser_session::{NewBrowserSession, Refresh},
    id::{AccountId, BrowserSessionId},
    secret::RefreshHash,
};

impl SqlStore {
    /// Writes a sign-in.
    pub async fn create_browser_session(&self, new: &NewBrowserSession) -> Result<()> {
        let row = browser::ActiveModel {
            id: Set(self.id(new.id.0)),
            account_id: Set(self.id(new.account_id.0)),
            refresh_hash: Set(new.refresh_hash.expose().to_owned()),
            created_at: Set(instant(new.created_at)),
            expires_at: Set(instant(new.expires_at)),
            remember: Set(new.remember),
        };
        limited(browser::Entity::insert(row).exec_without_returning(&self.db)).await.map(|_| ())
    }

    /// The account behind a live browser session of that account, whatever its status: one statement.
    pub async fn find_browser_session(
        &self,
        id: BrowserSessionId,
        account: AccountId,
        now: DateTime<Utc>,
    ) -> Result<Option<Account>> {
        let values = [self.id(id.0).into(), self.id(account.0).into(), instant(now).into()];
        let row = self.hot_row(self.hot(&self.hot.find_browser_session, values)).await?;
        Ok(row.as_ref().map(read_account).transpose()?)
    }

    /// Spends a refresh token for the next one. Of many concurrent callers with the same token one gets `Rotated`. Whether the
    /// account is active is asked in the same transaction: a token that was spent and then not answered ends its family.
    pub async fn rotate_refresh(
        &self,
        old: &RefreshHash,
        new: &RefreshHash,
        now: DateTime<Utc>,
        new_expires: DateTime<Utc>,
    ) -> Result<Refresh> {
        limited(retried(|| self.try_rotate_refresh(old, new, now, new_expires))).await
    }

    async fn try_rotate_refresh(
        &self,
        old: &RefreshHash,
        new: &RefreshHash,
        now: DateTime<Utc>,
        new_expires: DateTime<Utc>,
    ) -> Result<Refresh, SqlError> {
        let transaction = self.begin().await?;
        // The update comes first: whoever waited for it reads the winner's spent token afterwards, on every database.
        let rotated = browser::Entity::update_many()
            .col_expr(browser::Column::RefreshHash, Expr::value(new.expose()))
            .col_expr(browser::Column::ExpiresAt, Expr::value(instant(new_expires)))
            .filter(browser::Column::RefreshHash.eq(old.expose()))
            .filter(browser::Column::ExpiresAt.gt(instant(now)))
            .exec(&transaction)
            .await?;
        if rotated.rows_affected == 0 {
            let family = Query::select()
                .column(spent::Column::SessionId)
                .from(spent::Entity)
                .and_where(spent::Column::RefreshHash.eq(old.expose()))
                .take();
            let Some(row) = transaction.query_one(&family).await? else { return Ok(Refresh::Unknown) };
            let id: DbUuid = row.try_get_by("session_id")?;
            browser::Entity::delete_many().filter(browser::Column::Id.eq(id)).exec(&transaction).await?;
            transaction.commit().await?;
            return Ok(Refresh::Reused);
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
        if row.try_get_by::<String, _>("status")? != "active" {
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

    /// Ends a browser session; `false` when there is none.
    pub async fn delete_browser_session(&self, id: BrowserSessionId) -> Result<bool> {
        let delete = browser::Entity::delete_many().filter(browser::Column::Id.eq(self.id(id.0)));
        Ok(limited(delete.exec(&self.db)).await?.rows_affected == 1)
    }

    /// Ends every browser session of an account, within a transaction that changes the account.
    pub(super) async fn end_browser_sessions(
        &self,
        transaction: &DatabaseTransaction,
        account: DbUuid,
    ) -> Result<(), sea_orm::DbErr> {
        let delete = browser::Entity::delete_many().filter(browser::Column::AccountId.eq(account));
        delete.exec(transaction).await.map(|_| ())
    }
}
