//! Minting of tokens: one live row for each device of a subject (contract sections 3 and 6).

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, Order, QueryFilter, Value,
    sea_query::{Expr, Query},
};
use uuid::{NoContext, Timestamp, Uuid};

use super::{
    columns::read_word,
    db_uuid::DbUuid,
    entity::{account, oauth_access_token as token, session},
    error::SqlError,
    retry::with_retries,
    session_details::{SessionDetails, replace_session_details},
    sql_store::SqlStore,
    timestamp::to_micros,
};
use crate::domain::{
    account::AccountStatus,
    error::{Code, Error, Result},
    id::{AccountId, TokenId},
    secret::TokenHash,
    session::{MintedSession, NewSession},
};

/// A token that is written and not committed. Dropping it undoes everything.
pub(crate) struct PendingMint {
    store: SqlStore,
    transaction: DatabaseTransaction,
    minted: MintedSession,
}

impl PendingMint {
    /// The hashes of the tokens that end with the commit.
    pub(crate) fn ended_hashes(&self) -> impl Iterator<Item = &TokenHash> {
        self.minted.rotated.iter().chain(self.minted.evicted.iter().map(|session| &session.hash))
    }

    pub(crate) async fn commit(self) -> Result<MintedSession> {
        let Self { store, transaction, minted } = self;
        store.call("TRANSACTION", transaction.commit()).await?;
        Ok(minted)
    }
}

impl SqlStore {
    /// Writes a new token: rotates the live row of the same device, or inserts one and revokes those over the limit.
    ///
    /// One transaction, repeated when a concurrent mint for the same device wins. Other mints for the account wait for
    /// its end. Fails with `access_denied` unless the account is active.
    pub(crate) async fn begin_mint(&self, new: &NewSession) -> Result<PendingMint> {
        let (transaction, minted) = self.call("TRANSACTION", with_retries(|| self.try_mint(new))).await?;
        Ok(PendingMint { store: self.clone(), transaction, minted })
    }

    async fn try_mint(&self, new: &NewSession) -> Result<(DatabaseTransaction, MintedSession), SqlError> {
        let transaction = self.begin().await?;
        if let Some(id) = new.subject.account_id() {
            self.lock_active_account(&transaction, id).await?;
        }
        let (id, rotated, evicted) = if let Some((id, hash)) = self.lock_live_row(&transaction, new).await? {
            self.rotate(&transaction, id, new).await?;
            (id, hash, Vec::new())
        } else {
            let id = self.insert(&transaction, new).await?;
            (id, None, self.revoke_excess_sessions(&transaction, new, id).await?)
        };
        self.write_session_details(&transaction, id, new).await?;
        Ok((transaction, MintedSession { token_id: TokenId(id.uuid()), rotated, evicted }))
    }

    /// Locks the account's row, so that mints for the account and a ban run one after the other. On MySQL, which has no
    /// partial unique index, this lock also keeps the live row unique.
    async fn lock_active_account(&self, transaction: &DatabaseTransaction, id: AccountId) -> Result<(), SqlError> {
        let select = Query::select()
            .column(account::Column::Status)
            .from(account::Entity)
            .and_where(account::Column::Id.eq(self.id(id.0)))
            .lock(self.row_lock())
            .take();
        match transaction.query_one(&select).await? {
            Some(row) if read_word(&row, "status")?.is(AccountStatus::Active) => Ok(()),
            _ => Err(Error::new(Code::AccessDenied, "This account is not active.").into()),
        }
    }

    async fn lock_live_row(
        &self,
        transaction: &DatabaseTransaction,
        new: &NewSession,
    ) -> Result<Option<(DbUuid, Option<TokenHash>)>, DbErr> {
        let select = Query::select()
            .columns([token::Column::Id, token::Column::TokenHash])
            .from(token::Entity)
            .and_where(self.is_exactly(token::Column::SubjectEmail, new.subject.email()))
            .and_where(self.is_exactly(token::Column::SubjectIssuer, new.subject.stored_issuer()))
            .and_where(self.is_exactly(token::Column::ClientId, &new.client_id))
            .and_where(self.is_exactly(token::Column::DeviceLabel, &new.device_label))
            .and_where(token::Column::RevokedAt.is_null())
            .order_by(token::Column::Id, Order::Asc)
            .limit(1)
            .lock(self.row_lock())
            .take();
        let Some(row) = transaction.query_one(&select).await? else { return Ok(None) };
        let hash = row.try_get_by::<Option<String>, _>("token_hash")?.map(TokenHash::from_stored);
        Ok(Some((row.try_get_by("id")?, hash)))
    }

    async fn rotate(&self, transaction: &DatabaseTransaction, id: DbUuid, new: &NewSession) -> Result<(), DbErr> {
        let account_id = new.subject.account_id().map(|id| self.id(id.0));
        let done = token::Entity::update_many()
            .col_expr(token::Column::TokenHash, Expr::value(new.hash.expose()))
            .col_expr(token::Column::AccountId, Expr::value(account_id))
            .col_expr(token::Column::Prefix, Expr::value(new.subject.subject_type().token_prefix()))
            .col_expr(token::Column::CreatedAt, Expr::value(to_micros(new.created_at)))
            .col_expr(token::Column::ExpiresAt, Expr::value(to_micros(new.expires_at)))
            .col_expr(token::Column::LastUsedAt, Expr::value(Value::ChronoDateTimeUtc(None)))
            .filter(token::Column::Id.eq(id))
            .filter(token::Column::RevokedAt.is_null())
            .exec(transaction)
            .await?;
        if done.rows_affected == 1 { Ok(()) } else { Err(DbErr::RecordNotUpdated) }
    }

    async fn insert(&self, transaction: &DatabaseTransaction, new: &NewSession) -> Result<DbUuid, DbErr> {
        let id = self.id(time_ordered_id(new.created_at));
        let row = token::ActiveModel {
            id: Set(id),
            subject_email: Set(new.subject.email().to_owned()),
            subject_issuer: Set(Some(new.subject.stored_issuer().to_owned())),
            account_id: Set(new.subject.account_id().map(|id| self.id(id.0))),
            client_id: Set(new.client_id.clone()),
            device_label: Set(new.device_label.clone()),
            prefix: Set(new.subject.subject_type().token_prefix().to_owned()),
            token_hash: Set(Some(new.hash.expose().to_owned())),
            created_at: Set(to_micros(new.created_at)),
            last_used_at: Set(None),
            expires_at: Set(to_micros(new.expires_at)),
            revoked_at: Set(None),
        };
        token::Entity::insert(row).exec_without_returning(transaction).await?;
        Ok(id)
    }

    /// Writes what the session is listed with, and keeps its name.
    async fn write_session_details(
        &self,
        transaction: &DatabaseTransaction,
        id: DbUuid,
        new: &NewSession,
    ) -> Result<(), SqlError> {
        let named = Query::select()
            .column(session::Column::Name)
            .from(session::Entity)
            .and_where(session::Column::TokenId.eq(id))
            .take();
        let name = match transaction.query_one(&named).await? {
            Some(row) => row.try_get_by("name")?,
            None => None,
        };
        let details = SessionDetails {
            prefix: Some(new.display_prefix.clone()),
            created_ip: new.created_ip.clone(),
            user_agent: new.user_agent.clone(),
            name,
        };
        replace_session_details(transaction, id, details).await
    }
}

/// A version 7 UUID of this time, as Dify gives its tokens. Its random part is no secret.
fn time_ordered_id(at: DateTime<Utc>) -> Uuid {
    let seconds = u64::try_from(at.timestamp()).unwrap_or(0);
    Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, at.timestamp_subsec_nanos()))
}
