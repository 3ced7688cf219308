//! Revocation of sessions. Of concurrent callers, the one that gets the old hash has revoked the session.

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, Order, QueryFilter, QueryResult, Value,
    sea_query::{Expr, ExprTrait, JoinType, Query, SimpleExpr},
};

use super::{
    db_uuid::DbUuid,
    entity::{account, oauth_access_token as token, session},
    error::SqlError,
    retry::with_retries,
    sql_store::{MAX_ROWS_PER_STATEMENT, SqlStore},
    timestamp::to_micros,
};
use crate::domain::{
    error::Result,
    id::TokenId,
    secret::TokenHash,
    session::{RevokeSelection, RevokedSession},
    subject::Subject,
};

impl SqlStore {
    /// Revokes one of the subject's sessions; `None` when it belongs to another subject or is revoked already. Of many
    /// concurrent callers exactly one gets the hash.
    pub async fn revoke_session(
        &self,
        subject: &Subject,
        id: TokenId,
        now: DateTime<Utc>,
    ) -> Result<Option<RevokedSession>> {
        let condition = token::Column::Id.eq(self.id(id.0)).and(self.owned_by(subject));
        Ok(self.revoke_where(condition, now).await?.pop())
    }

    /// Revokes the subject's sessions, `except` one.
    pub async fn revoke_all_sessions(
        &self,
        subject: &Subject,
        except: Option<TokenId>,
        now: DateTime<Utc>,
    ) -> Result<Vec<RevokedSession>> {
        let mut condition = self.owned_by(subject);
        if let Some(id) = except {
            condition = condition.and(token::Column::Id.ne(self.id(id.0)));
        }
        self.revoke_where(condition, now).await
    }

    /// Revokes the session of the token with this hash (RFC 7009).
    pub async fn revoke_by_hash(&self, hash: &TokenHash, now: DateTime<Utc>) -> Result<Option<RevokedSession>> {
        Ok(self.revoke_where(token::Column::TokenHash.eq(hash.expose()), now).await?.pop())
    }

    /// The hash that the subject's session had when it ended; `None` when it is live, belongs to another subject, or
    /// was issued by Dify.
    pub async fn find_ended_hash(&self, subject: &Subject, id: TokenId) -> Result<Option<TokenHash>> {
        let select = Query::select()
            .column((session::Entity, session::Column::TokenHash))
            .from(session::Entity)
            .join(
                JoinType::InnerJoin,
                token::Entity,
                Expr::col((token::Entity, token::Column::Id)).equals((session::Entity, session::Column::TokenId)),
            )
            .and_where(session::Column::TokenId.eq(self.id(id.0)).and(self.owned_by(subject)))
            .and_where(token::Column::TokenHash.is_null())
            .take();
        let Some(row) = self.query_one(&select).await? else { return Ok(None) };
        Ok(row.try_get_by::<Option<String>, _>("token_hash")?.map(TokenHash::from_stored))
    }

    /// Revokes the sessions that an operator selected.
    pub async fn revoke_selected(
        &self,
        selection: &RevokeSelection,
        now: DateTime<Utc>,
    ) -> Result<Vec<RevokedSession>> {
        self.revoke_where(self.is_selected(selection), now).await
    }

    /// Number of sessions that `revoke_selected` would revoke.
    pub async fn count_selected(&self, selection: &RevokeSelection) -> Result<usize> {
        let count = Query::select()
            .expr_as(Expr::col((token::Entity, token::Column::Id)).count(), "sessions")
            .from(token::Entity)
            .and_where(self.is_selected(selection))
            .and_where(token::Column::RevokedAt.is_null())
            .and_where(token::Column::TokenHash.is_not_null())
            .take();
        let Some(row) = self.query_one(&count).await? else { return Ok(0) };
        Ok(usize::try_from(row.try_get_by::<i64, _>("sessions")?).unwrap_or(0))
    }

    fn is_selected(&self, selection: &RevokeSelection) -> SimpleExpr {
        match selection {
            RevokeSelection::Id(id) => token::Column::Id.eq(self.id(id.0)),
            RevokeSelection::Account(email) => self.of_account_with_email(email),
            RevokeSelection::Client(client) => self.is_exactly(token::Column::ClientId, client),
            RevokeSelection::Since(since) => token::Column::CreatedAt.gte(to_micros(*since)),
        }
    }

    /// Whether the selected account, session or client exists. An account counts without sessions, a session also after
    /// its end. `Since` always exists.
    pub async fn selection_exists(&self, selection: &RevokeSelection) -> Result<bool> {
        let sessions =
            |condition| Query::select().column(token::Column::Id).from(token::Entity).and_where(condition).take();
        let mut select = match selection {
            RevokeSelection::Id(id) => sessions(token::Column::Id.eq(self.id(id.0))),
            RevokeSelection::Client(client) => sessions(self.is_exactly(token::Column::ClientId, client)),
            RevokeSelection::Account(email) => Query::select()
                .column((account::Entity, account::Column::Id))
                .from(account::Entity)
                .and_where(self.has_email(email))
                .take(),
            RevokeSelection::Since(_) => return Ok(true),
        };
        Ok(self.query_one(select.limit(1)).await?.is_some())
    }

    async fn revoke_where(&self, condition: SimpleExpr, now: DateTime<Utc>) -> Result<Vec<RevokedSession>> {
        self.call("TRANSACTION", with_retries(|| self.try_revoke_where(condition.clone(), now))).await
    }

    async fn try_revoke_where(
        &self,
        condition: SimpleExpr,
        now: DateTime<Utc>,
    ) -> Result<Vec<RevokedSession>, SqlError> {
        let transaction = self.begin().await?;
        let ended = self.revoke_within(&transaction, condition, now).await?;
        transaction.commit().await?;
        Ok(ended)
    }

    /// Revokes tokens within a transaction: locks them in one order, then updates them and checks the number of rows.
    ///
    /// The hash is read before it is erased, because no database returns the old value of an update.
    pub(super) async fn revoke_within(
        &self,
        transaction: &DatabaseTransaction,
        condition: SimpleExpr,
        now: DateTime<Utc>,
    ) -> Result<Vec<RevokedSession>, DbErr> {
        let live_tokens = Query::select()
            .columns([token::Column::Id, token::Column::TokenHash])
            .from(token::Entity)
            .and_where(condition)
            .and_where(token::Column::RevokedAt.is_null())
            .and_where(token::Column::TokenHash.is_not_null())
            .order_by(token::Column::Id, Order::Asc)
            .lock(self.row_lock())
            .take();
        let ended: Vec<RevokedSession> =
            transaction.query_all(&live_tokens).await?.iter().map(read_revoked).collect::<Result<_, _>>()?;
        for chunk in ended.chunks(MAX_ROWS_PER_STATEMENT) {
            let done = token::Entity::update_many()
                .col_expr(token::Column::RevokedAt, Expr::value(to_micros(now)))
                .col_expr(token::Column::TokenHash, Expr::value(Value::String(None)))
                .filter(token::Column::Id.is_in(chunk.iter().map(|revoked| self.id(revoked.token_id.0))))
                .filter(token::Column::RevokedAt.is_null())
                .exec(transaction)
                .await?;
            if done.rows_affected != chunk.len() as u64 {
                return Err(DbErr::RecordNotUpdated);
            }
        }
        Ok(ended)
    }
}

fn read_revoked(row: &QueryResult) -> Result<RevokedSession, DbErr> {
    Ok(RevokedSession {
        token_id: TokenId(row.try_get_by::<DbUuid, _>("id")?.uuid()),
        hash: TokenHash::from_stored(row.try_get_by::<String, _>("token_hash")?),
    })
}
