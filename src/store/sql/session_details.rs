//! What a session is listed with, beside its token: `openapi_sessions`.

use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter,
    sea_query::{Expr, Query},
};

use super::{
    db_uuid::DbUuid,
    entity::{oauth_access_token as token, session},
    error::SqlError,
};
use crate::domain::error::Error;

/// The details of one token.
#[derive(Clone, Debug, Default)]
pub(super) struct SessionDetails {
    /// The first characters of the token; `None` where only its kind is known.
    pub prefix: Option<String>,
    pub created_ip: String,
    pub user_agent: Option<String>,
    /// The name that a person gave the session.
    pub name: Option<String>,
}

/// Replaces the details of a token. `created_at` and the hash are copied from the token's row, so that they are equal
/// whatever the precision of the columns.
pub(super) async fn replace_session_details(
    transaction: &DatabaseTransaction,
    id: DbUuid,
    details: SessionDetails,
) -> Result<(), SqlError> {
    session::Entity::delete_many().filter(session::Column::TokenId.eq(id)).exec(transaction).await?;
    let prefix = details.prefix.map_or_else(|| Expr::col(token::Column::Prefix), Expr::value);
    let details = Query::select()
        .column(token::Column::Id)
        .expr(prefix)
        .expr(Expr::value(details.created_ip))
        .expr(Expr::value(details.user_agent))
        .column(token::Column::CreatedAt)
        .expr(Expr::value(details.name))
        .column(token::Column::TokenHash)
        .from(token::Entity)
        .and_where(token::Column::Id.eq(id))
        .take();
    let insert = Query::insert()
        .into_table(session::Entity)
        .columns([
            session::Column::TokenId,
            session::Column::Prefix,
            session::Column::CreatedIp,
            session::Column::UserAgent,
            session::Column::CreatedAt,
            session::Column::Name,
            session::Column::TokenHash,
        ])
        .select_from(details)
        .map_err(Error::internal)?
        .take();
    transaction.execute(&insert).await?;
    Ok(())
}
