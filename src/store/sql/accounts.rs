//! Accounts, as an operator manages them on a standalone server.

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, Order, QueryFilter, Value,
    sea_query::{Expr, Query},
};
use uuid::Uuid;

use super::{
    columns::{read_account, select_account},
    db_uuid::DbUuid,
    driver_error::is_unique_violation,
    entity::{account, oauth_access_token as token},
    error::SqlError,
    retry::with_retries,
    sql_store::SqlStore,
    timeout::with_timeout,
    timestamp::naive_utc,
};
use crate::domain::{
    account::{Account, AccountStatus, EndedSessions},
    error::{Code, Error, Result},
    id::AccountId,
    secret::Secret,
    session::RevokedSession,
};

impl SqlStore {
    /// Creates an active account. Email addresses are unique, compared without case.
    pub async fn create_account(
        &self,
        email: &str,
        name: &str,
        password_hash: Option<&Secret>,
        now: DateTime<Utc>,
    ) -> Result<AccountId> {
        let id = Uuid::new_v4();
        let at = naive_utc(now);
        let row = account::ActiveModel {
            id: Set(self.id(id)),
            name: Set(name.to_owned()),
            email: Set(email.to_owned()),
            password: Set(password_hash.map(|hash| hash.expose().to_owned())),
            status: Set(AccountStatus::Active.as_str().to_owned()),
            initialized_at: Set(Some(at)),
            created_at: Set(at),
            updated_at: Set(at),
            last_active_at: Set(at),
            ..Default::default()
        };
        let insert = async {
            match account::Entity::insert(row).exec_without_returning(&self.db).await {
                Ok(_) => Ok(AccountId(id)),
                Err(error) if is_unique_violation(&error) => {
                    let taken = Error::new(Code::AlreadyExists, "An account with this email address already exists.");
                    Err(SqlError::from(taken))
                }
                Err(error) => Err(error.into()),
            }
        };
        with_timeout(insert).await
    }

    /// Every account, oldest first.
    pub async fn list_accounts(&self) -> Result<Vec<Account>> {
        let mut select = Query::select();
        select_account(&mut select);
        select
            .from(account::Entity)
            .order_by((account::Entity, account::Column::CreatedAt), Order::Asc)
            .order_by((account::Entity, account::Column::Id), Order::Asc);
        Ok(self.query_all(&select).await?.iter().map(read_account).collect::<Result<_, _>>()?)
    }

    /// Bans an account, or makes it active again. A ban revokes its tokens and ends its browser sessions in the same
    /// transaction; the caller drops the returned hashes from the cache. Other statuses fail with `invalid_param`.
    pub async fn set_account_status(
        &self,
        email: &str,
        status: AccountStatus,
        now: DateTime<Utc>,
    ) -> Result<Vec<RevokedSession>> {
        if !AccountStatus::SETTABLE.contains(&status) {
            return Err(Error::new(Code::InvalidParam, "An account's status is either active or banned."));
        }
        with_timeout(with_retries(|| self.try_set_account_status(email, status, now))).await
    }

    async fn try_set_account_status(
        &self,
        email: &str,
        status: AccountStatus,
        now: DateTime<Utc>,
    ) -> Result<Vec<RevokedSession>, SqlError> {
        let transaction = self.begin().await?;
        let id = self.lock_account(&transaction, email).await?;
        account::Entity::update_many()
            .col_expr(account::Column::Status, Expr::value(status.as_str()))
            .col_expr(account::Column::UpdatedAt, Expr::value(naive_utc(now)))
            .filter(account::Column::Id.eq(id))
            .exec(&transaction)
            .await?;
        let mut revoked = Vec::new();
        if status != AccountStatus::Active {
            revoked = self.revoke_within(&transaction, token::Column::AccountId.eq(id), now).await?;
            self.end_browser_sessions(&transaction, id).await?;
        }
        transaction.commit().await?;
        Ok(revoked)
    }

    /// Sets a password hash that contains its own salt, and ends the account's sessions. Returns the revoked device
    /// sessions.
    pub async fn set_password(
        &self,
        email: &str,
        hash: &Secret,
        ended: EndedSessions,
        now: DateTime<Utc>,
    ) -> Result<Vec<RevokedSession>> {
        with_timeout(with_retries(|| self.try_set_password(email, hash, ended, now))).await
    }

    async fn try_set_password(
        &self,
        email: &str,
        hash: &Secret,
        ended: EndedSessions,
        now: DateTime<Utc>,
    ) -> Result<Vec<RevokedSession>, SqlError> {
        let transaction = self.begin().await?;
        let id = self.lock_account(&transaction, email).await?;
        account::Entity::update_many()
            .col_expr(account::Column::Password, Expr::value(hash.expose()))
            .col_expr(account::Column::PasswordSalt, Expr::value(Value::String(None)))
            .col_expr(account::Column::UpdatedAt, Expr::value(naive_utc(now)))
            .filter(account::Column::Id.eq(id))
            .exec(&transaction)
            .await?;
        self.end_browser_sessions(&transaction, id).await?;
        let revoked = match ended {
            EndedSessions::All => self.revoke_within(&transaction, token::Column::AccountId.eq(id), now).await?,
            EndedSessions::Browser => Vec::new(),
        };
        transaction.commit().await?;
        Ok(revoked)
    }

    /// Locks the account with this email address; `not_found` when there is none.
    pub(super) async fn lock_account(
        &self,
        transaction: &impl ConnectionTrait,
        email: &str,
    ) -> Result<DbUuid, SqlError> {
        let select = Query::select()
            .column((account::Entity, account::Column::Id))
            .from(account::Entity)
            .and_where(self.has_email(email))
            .order_by((account::Entity, account::Column::CreatedAt), Order::Asc)
            .limit(1)
            .lock(self.row_lock())
            .take();
        let Some(row) = transaction.query_one(&select).await? else {
            return Err(Error::not_found("No account has this email address.")
                .with_hint("`dify-openapi account list` lists them.")
                .into());
        };
        row.try_get_by("id").map_err(|error: DbErr| error.into())
    }
}
