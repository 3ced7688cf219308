//! The limit of live sessions of a subject (contract section 3).

use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, Order,
    sea_query::{Expr, ExprTrait, Func, Query},
};

use super::{
    db_uuid::DbUuid,
    entity::oauth_access_token as token,
    sql_store::{MAX_ROWS_PER_STATEMENT, SqlStore},
    timestamp::to_micros,
};
use crate::domain::session::{NewSession, RevokedSession};

/// Limit of live sessions of one subject with one client.
const MAX_SESSIONS: u64 = 50;

impl SqlStore {
    /// Revokes the sessions of the subject and client over the limit, the least recently used first. Keeps `minted`.
    pub(super) async fn revoke_excess_sessions(
        &self,
        transaction: &DatabaseTransaction,
        new: &NewSession,
        minted: DbUuid,
    ) -> Result<Vec<RevokedSession>, DbErr> {
        let last_use = Func::coalesce([Expr::col(token::Column::LastUsedAt), Expr::col(token::Column::CreatedAt)]);
        let select = Query::select()
            .column(token::Column::Id)
            .from(token::Entity)
            .and_where(self.owned_by(&new.subject))
            .and_where(self.is_exactly(token::Column::ClientId, &new.client_id))
            .and_where(token::Column::RevokedAt.is_null())
            .and_where(token::Column::TokenHash.is_not_null())
            .and_where(token::Column::ExpiresAt.gt(to_micros(new.created_at)))
            .and_where(token::Column::Id.ne(minted))
            .order_by_expr(last_use.into(), Order::Desc)
            .order_by(token::Column::Id, Order::Desc)
            .offset(MAX_SESSIONS - 1)
            .limit(MAX_ROWS_PER_STATEMENT as u64)
            .take();
        let rows = transaction.query_all(&select).await?;
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let ids = rows.iter().map(|row| row.try_get_by("id")).collect::<Result<Vec<DbUuid>, _>>()?;
        self.revoke_within(transaction, token::Column::Id.is_in(ids).and(self.owned_by(&new.subject)), new.created_at)
            .await
    }
}
