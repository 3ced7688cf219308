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
    timestamp::naive_utc,
};
use crate::domain::{
    account::{Account, AccountStatus, EndedSessions},
    error::{Code, Error, Result},
    id::AccountId,
    secret::Secret,
    session::RevokedSession,
    setup::NewAdministrator,
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
        let row = account::ActiveModel {
            password: Set(password_hash.map(|hash| hash.expose().to_owned())),
            status: Set(AccountStatus::Active.as_str().to_owned()),
            initialized_at: Set(Some(naive_utc(now))),
            ..new_account(email, name, now)
        };
        let insert = async {
            self.insert_account(&self.db, row).await.map_err(|error| match error {
                error if is_unique_violation(&error) => SqlError::from(email_is_taken()),
                error => error.into(),
            })
        };
        self.call("INSERT", insert).await
    }

    /// Creates the first administrator, with a password.
    pub(super) async fn insert_administrator(
        &self,
        connection: &impl ConnectionTrait,
        administrator: &NewAdministrator<'_>,
        now: DateTime<Utc>,
    ) -> Result<AccountId, SqlError> {
        let row = account::ActiveModel {
            password: Set(Some(administrator.password_hash.expose().to_owned())),
            status: Set(AccountStatus::Active.as_str().to_owned()),
            interface_language: Set(administrator.language.map(str::to_owned)),
            initialized_at: Set(Some(naive_utc(now))),
            ..new_account(administrator.email, administrator.name, now)
        };
        Ok(self.insert_account(connection, row).await?)
    }

    /// Creates an account that cannot sign in before it has a password.
    pub(super) async fn insert_pending_account(
        &self,
        connection: &impl ConnectionTrait,
        email: &str,
        name: &str,
        now: DateTime<Utc>,
    ) -> Result<AccountId, SqlError> {
        let status = Set(AccountStatus::Pending.as_str().to_owned());
        let row = account::ActiveModel { status, ..new_account(email, name, now) };
        Ok(self.insert_account(connection, row).await?)
    }

    async fn insert_account(
        &self,
        connection: &impl ConnectionTrait,
        row: account::ActiveModel,
    ) -> Result<AccountId, DbErr> {
        let id = Uuid::new_v4();
        let row = account::ActiveModel { id: Set(self.id(id)), ..row };
        account::Entity::insert(row).exec_without_returning(connection).await?;
        Ok(AccountId(id))
    }

    /// Gives an account another name. Fails with `not_found`.
    pub async fn rename_account(&self, id: AccountId, name: &str, now: DateTime<Utc>) -> Result<()> {
        let update = account::Entity::update_many()
            .col_expr(account::Column::Name, Expr::value(name))
            .col_expr(account::Column::UpdatedAt, Expr::value(naive_utc(now)))
            .filter(account::Column::Id.eq(self.id(id.0)));
        match self.call("UPDATE", update.exec(&self.db)).await?.rows_affected {
            0 => Err(Error::not_found("There is no such account.")),
            _ => Ok(()),
        }
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

    /// The oldest account with this email address, compared without case.
    pub async fn find_account_by_email(&self, email: &str) -> Result<Option<Account>> {
        let mut select = Query::select();
        select_account(&mut select);
        select
            .from(account::Entity)
            .and_where(self.has_email(email))
            .order_by((account::Entity, account::Column::CreatedAt), Order::Asc)
            .limit(1);
        Ok(self.query_one(&select).await?.as_ref().map(read_account).transpose()?)
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
        self.call("TRANSACTION", with_retries(|| self.try_set_account_status(email, status, now))).await
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

    /// Sets a password hash that contains its own salt, and ends the account's sessions. An account that was invited
    /// and is pending becomes active. Returns the revoked device sessions.
    pub async fn set_password(
        &self,
        email: &str,
        hash: &Secret,
        ended: EndedSessions,
        now: DateTime<Utc>,
    ) -> Result<Vec<RevokedSession>> {
        self.call("TRANSACTION", with_retries(|| self.try_set_password(email, hash, ended, now))).await
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
        account::Entity::update_many()
            .col_expr(account::Column::Status, Expr::value(AccountStatus::Active.as_str()))
            .col_expr(account::Column::InitializedAt, Expr::value(naive_utc(now)))
            .filter(account::Column::Id.eq(id))
            .filter(account::Column::Status.eq(AccountStatus::Pending.as_str()))
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
        self.find_locked_account(transaction, email).await?.ok_or_else(|| {
            Error::not_found("No account has this email address.")
                .with_hint("`dify-openapi account list` lists them.")
                .into()
        })
    }

    /// Locks the account with this email address, if there is one.
    pub(super) async fn find_locked_account(
        &self,
        transaction: &impl ConnectionTrait,
        email: &str,
    ) -> Result<Option<DbUuid>, SqlError> {
        let select = Query::select()
            .column((account::Entity, account::Column::Id))
            .from(account::Entity)
            .and_where(self.has_email(email))
            .order_by((account::Entity, account::Column::CreatedAt), Order::Asc)
            .limit(1)
            .lock(self.row_lock())
            .take();
        let row = transaction.query_one(&select).await?;
        Ok(row.map(|row| row.try_get_by("id")).transpose()?)
    }
}

fn email_is_taken() -> Error {
    Error::new(Code::AlreadyExists, "An account with this email address already exists.")
}

/// The columns that every new account has, without its id.
fn new_account(email: &str, name: &str, now: DateTime<Utc>) -> account::ActiveModel {
    let at = naive_utc(now);
    account::ActiveModel {
        name: Set(name.to_owned()),
        email: Set(email.to_owned()),
        created_at: Set(at),
        updated_at: Set(at),
        last_active_at: Set(at),
        ..Default::default()
    }
}
