//! Single tokens, as authentication and the device flow read and revoke them.

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, Value,
    sea_query::{CaseStatement, Expr},
};

use super::{
    columns::read_account_view,
    db_uuid::DbUuid,
    entity::oauth_access_token as token,
    sql_store::{MAX_ROWS_PER_STATEMENT, SqlStore},
    timestamp::to_micros,
};
use crate::domain::{
    account::AccountView,
    error::Result,
    id::{AccountId, TokenId},
    secret::TokenHash,
    session::TokenRow,
    stored::StoredValue,
};

impl SqlStore {
    /// The token with this hash that is not revoked. It may have expired.
    pub async fn find_token(&self, hash: &TokenHash) -> Result<Option<TokenRow>> {
        let statement = self.statement(&self.rendered.find_token, [hash.expose().into()]);
        let Some(row) = self.query_one_raw(statement).await? else { return Ok(None) };
        Ok(Some(TokenRow {
            token_id: TokenId(row.try_get_by::<DbUuid, _>("id")?.uuid()),
            subject_email: row.try_get_by("subject_email")?,
            subject_issuer: row.try_get_by("subject_issuer")?,
            account_id: row.try_get_by::<Option<DbUuid>, _>("account_id")?.map(|id| AccountId(id.uuid())),
            account_status: row.try_get_by::<Option<String>, _>("account_status")?.map(StoredValue::from),
            client_id: row.try_get_by("client_id")?,
            prefix: row.try_get_by("prefix")?,
            expires_at: row.try_get_by("expires_at")?,
        }))
    }

    /// Revokes a token if it still has this hash: undoes a mint, or ends an expired token, unless the row was rotated
    /// meanwhile. Returns `true` for the one caller that revoked it.
    pub async fn revoke_if_hash(&self, id: TokenId, hash: &TokenHash, now: DateTime<Utc>) -> Result<bool> {
        let update = token::Entity::update_many()
            .col_expr(token::Column::RevokedAt, Expr::value(to_micros(now)))
            .col_expr(token::Column::TokenHash, Expr::value(Value::String(None)))
            .filter(token::Column::Id.eq(self.id(id.0)))
            .filter(token::Column::TokenHash.eq(hash.expose()))
            .filter(token::Column::RevokedAt.is_null());
        Ok(self.call("UPDATE", update.exec(&self.db)).await?.rows_affected == 1)
    }

    /// Expiry and account of a token that an approval has minted, if it is live and still has this hash. One statement.
    /// The caller checks whether the account is active.
    pub async fn confirm_minted(
        &self,
        id: TokenId,
        hash: &TokenHash,
        now: DateTime<Utc>,
    ) -> Result<Option<(DateTime<Utc>, AccountView)>> {
        let values = [self.id(id.0).into(), hash.expose().into(), to_micros(now).into()];
        let statement = self.statement(&self.rendered.confirm_minted, values);
        let rows = self.query_all_raw(statement).await?;
        let (Some(first), Some(view)) = (rows.first(), read_account_view(&rows)?) else { return Ok(None) };
        Ok(Some((first.try_get_by("token_expires_at")?, view)))
    }

    /// Records when tokens were last used. Revoked tokens are not changed.
    pub async fn touch_sessions(&self, used: &[(TokenId, DateTime<Utc>)]) -> Result<()> {
        for chunk in used.chunks(MAX_ROWS_PER_STATEMENT) {
            let mut last_used = CaseStatement::new();
            for (id, at) in chunk {
                last_used = last_used.case(token::Column::Id.eq(self.id(id.0)), Expr::value(to_micros(*at)));
            }
            let update = token::Entity::update_many()
                .col_expr(token::Column::LastUsedAt, last_used.into())
                .filter(token::Column::Id.is_in(chunk.iter().map(|(id, _)| self.id(id.0))))
                .filter(token::Column::RevokedAt.is_null());
            self.call("UPDATE", update.exec(&self.db)).await?;
        }
        Ok(())
    }
}
