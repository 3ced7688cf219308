//! The name that a person gives a session. It is stored beside the token, so that the label of the device stays as it
//! is: the label decides which session a new sign-in of the device replaces.

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter,
    sea_query::{Expr, ExprTrait, Query},
};

use super::{
    entity::{oauth_access_token as token, session},
    error::SqlError,
    retry::with_retries,
    session_details::{SessionDetails, replace_session_details},
    sessions::is_live,
    sql_store::SqlStore,
};
use crate::domain::{error::Result, id::TokenId, subject::Subject};

impl SqlStore {
    /// Names one of the subject's live sessions. Returns `false` when it has none with this id.
    pub async fn name_session(&self, subject: &Subject, id: TokenId, name: &str, now: DateTime<Utc>) -> Result<bool> {
        self.call("TRANSACTION", with_retries(|| self.try_name_session(subject, id, name, now))).await
    }

    async fn try_name_session(
        &self,
        subject: &Subject,
        id: TokenId,
        name: &str,
        now: DateTime<Utc>,
    ) -> Result<bool, SqlError> {
        let (transaction, id) = (self.begin().await?, self.id(id.0));
        let is_owned =
            Expr::col((token::Entity, token::Column::Id)).eq(id).and(self.owned_by(subject)).and(is_live(now));
        // The lock makes this wait for a rotation of the token, which writes the row of details anew.
        let owned = Query::select()
            .column(token::Column::Id)
            .from(token::Entity)
            .and_where(is_owned)
            .lock(self.row_lock())
            .take();
        if transaction.query_one(&owned).await?.is_none() {
            return Ok(false);
        }
        let created_at = Query::select()
            .column(token::Column::CreatedAt)
            .from(token::Entity)
            .and_where(token::Column::Id.eq(id))
            .take();
        let named = session::Entity::update_many()
            .col_expr(session::Column::Name, Expr::value(name))
            .filter(session::Column::TokenId.eq(id))
            .filter(session::Column::CreatedAt.in_subquery(created_at))
            .exec(&transaction)
            .await?;
        if named.rows_affected == 0 {
            // Dify minted or rotated the token, so nothing is known about the device.
            let details = SessionDetails { name: Some(name.to_owned()), ..SessionDetails::default() };
            replace_session_details(&transaction, id, details).await?;
        }
        transaction.commit().await?;
        Ok(true)
    }
}
