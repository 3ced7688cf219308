//! Single rows of `oauth_access_tokens`, as authentication and the device flow read and end them.

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, Value,
    sea_query::{CaseStatement, Expr},
};

use super::{CHUNK, DbUuid, SqlStore, entity::oauth_access_token as token, identity::view, instant, limited};
use crate::domain::{
    Result,
    account::AccountView,
    id::{AccountId, TokenId},
    secret::TokenHash,
    session::TokenRow,
};

impl SqlStore {
    /// The live row with this hash, expired or not.
    pub async fn find_token(&self, hash: &TokenHash) -> Result<Option<TokenRow>> {
        let statement = self.hot(&self.hot.find_token, [hash.expose().into()]);
        let Some(row) = self.hot_row(statement).await? else { return Ok(None) };
        Ok(Some(TokenRow {
            token_id: TokenId(row.try_get_by::<DbUuid, _>("id")?.uuid()),
            subject_email: row.try_get_by("subject_email")?,
            subject_issuer: row.try_get_by("subject_issuer")?,
            account_id: row.try_get_by::<Option<DbUuid>, _>("account_id")?.map(|id| AccountId(id.uuid())),
            account_status: row.try_get_by("account_status")?,
            client_id: row.try_get_by("client_id")?,
            prefix: row.try_get_by("prefix")?,
            expires_at: row.try_get_by("expires_at")?,
        }))
    }

    /// Ends a row if it still has this hash: takes a mint back, or what has expired, and nothing that came after it. `true`
    /// for the one caller who ended it.
    pub async fn revoke_if_hash(&self, id: TokenId, hash: &TokenHash, now: DateTime<Utc>) -> Result<bool> {
        let update = token::Entity::update_many()
            .col_expr(token::Column::RevokedAt, Expr::value(instant(now)))
            .col_expr(token::Column::TokenHash, Expr::value(Value::String(None)))
            .filter(token::Column::Id.eq(self.id(id.0)))
            .filter(token::Column::TokenHash.eq(hash.expose()))
            .filter(token::Column::RevokedAt.is_null());
        Ok(limited(update.exec(&self.db)).await?.rows_affected == 1)
    }

    /// When the token behind an approved grant ends, and its account, if it is live with this very hash: one statement.
    ///
    /// Whether the account is active is for the caller to judge.
    pub async fn confirm_minted(
        &self,
        id: TokenId,
        hash: &TokenHash,
        now: DateTime<Utc>,
    ) -> Result<Option<(DateTime<Utc>, AccountView)>> {
        let values = [self.id(id.0).into(), hash.expose().into(), instant(now).into()];
        let statement = self.hot(&self.hot.confirm_minted, values);
        let rows = self.hot_rows(statement).await?;
        let (Some(first), Some(view)) = (rows.first(), view(&rows)?) else { return Ok(None) };
        Ok(Some((first.try_get_by("token_expires_at")?, view)))
    }

    /// Notes when tokens were last seen. Rows that ended meanwhile are left alone.
    pub async fn touch_sessions(&self, seen: &[(TokenId, DateTime<Utc>)]) -> Result<()> {
        for chunk in seen.chunks(CHUNK) {
            let mut last_used = CaseStatement::new();
            for (id, at) in chunk {
                last_used = last_used.case(token::Column::Id.eq(self.id(id.0)), Expr::value(instant(*at)));
            }
            let update = token::Entity::update_many()
                .col_expr(token::Column::LastUsedAt, last_used.into())
                .filter(token::Column::Id.is_in(chunk.iter().map(|(id, _)| self.id(id.0))))
                .filter(token::Column::RevokedAt.is_null());
            limited(update.exec(&self.db)).await?;
        }
        Ok(())
    }
}
