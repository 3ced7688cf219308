//! Single tokens, as authentication and the device flow read and revoke them.

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, Value,
    sea_query::{CaseStatement, Expr},
};

use super::{
    columns::read_account_view,
    db_uuid::DbUuid,
    entity::{oauth_access_token as token, session},
    sql_store::{MAX_ROWS_PER_STATEMENT, SqlStore},
    timestamp::to_micros,
};
use crate::domain::{
    account::AccountView,
    error::Result,
    id::{AccountId, TokenId},
    last_use::LastUse,
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

    /// Records when, where and with what tokens were last used. The time of a revoked token is not changed. Dify's
    /// table has no columns for the rest, so sessions that Dify issued have the time only.
    pub async fn touch_sessions(&self, used: &[(TokenId, LastUse)]) -> Result<()> {
        for chunk in used.chunks(MAX_ROWS_PER_STATEMENT) {
            let (mut last_used, mut ip, mut user_agent) =
                (CaseStatement::new(), CaseStatement::new(), CaseStatement::new());
            for (id, LastUse { at, origin }) in chunk {
                let id = self.id(id.0);
                last_used = last_used.case(token::Column::Id.eq(id), Expr::value(to_micros(*at)));
                let address = origin.address.0.to_canonical().to_string();
                ip = ip.case(session::Column::TokenId.eq(id), Expr::value(address));
                user_agent = user_agent.case(session::Column::TokenId.eq(id), Expr::value(origin.user_agent.clone()));
            }
            let update = token::Entity::update_many()
                .col_expr(token::Column::LastUsedAt, last_used.into())
                .filter(token::Column::Id.is_in(chunk.iter().map(|(id, _)| self.id(id.0))))
                .filter(token::Column::RevokedAt.is_null());
            self.call("UPDATE", update.exec(&self.db)).await?;
            let details = session::Entity::update_many()
                .col_expr(session::Column::LastIp, ip.into())
                .col_expr(session::Column::LastUserAgent, user_agent.into())
                .filter(session::Column::TokenId.is_in(chunk.iter().map(|(id, _)| self.id(id.0))));
            self.call("UPDATE", details.exec(&self.db)).await?;
        }
        Ok(())
    }
}
