//! Who of the workspace may use a connection: a column of Dify's table from its migration `a1b2c3d4e5f6` on, and a
//! column of this service's table beside it. The narrower one applies, because the migration shares every existing row.

use sea_orm::{
    ConnectionTrait, DbErr,
    sea_query::{Alias, Expr, ExprTrait as _, Query},
};

use crate::{
    domain::{connection::credential::Visibility, error::Result, id::ConnectionId, stored::StoredValue},
    store::sql::{entity::tool_credential as credential, sql_store::SqlStore, timeout::with_timeout},
};

/// The column of Dify's table.
pub(super) const COLUMN: &str = "visibility";

impl SqlStore {
    /// Whether Dify's table has the column. Looked up once.
    pub(super) async fn has_visibility_column(&self) -> Result<bool> {
        let has_column = async || self.schema_manager().await?.has_column("tool_builtin_providers", COLUMN).await;
        let look_up = || with_timeout(has_column());
        self.visibility_column.get_or_try_init(look_up).await.copied()
    }

    /// Writes the visibility into Dify's table, where it has the column.
    pub(super) async fn put_visibility(
        &self,
        connection: &impl ConnectionTrait,
        has_column: bool,
        id: ConnectionId,
        visibility: Visibility,
    ) -> Result<(), DbErr> {
        if has_column {
            let update = Query::update()
                .table(credential::Entity)
                .value(Alias::new(COLUMN), visibility.as_str())
                .and_where(Expr::col(credential::Column::Id).eq(self.id(id.0)))
                .take();
            connection.execute(&update).await?;
        }
        Ok(())
    }
}

/// The visibility of a row. Without any, Dify has created it, and the whole workspace uses it.
pub(super) fn narrower(own: Option<String>, of_dify: Option<String>) -> StoredValue<Visibility> {
    let (own, of_dify) = (own.map(StoredValue::from), of_dify.map(StoredValue::from));
    match (own, of_dify) {
        (Some(own), Some(of_dify)) if own.is(Visibility::Workspace) => of_dify,
        (Some(one), _) | (None, Some(one)) => one,
        (None, None) => StoredValue::Known(Visibility::Workspace),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrower_visibility_applies() {
        let (all, me, some) = (Some("all_team_members"), Some("only_me"), Some("partial_members"));
        for (own, of_dify, expected) in [
            (None, None, "all_team_members"),
            (None, me, "only_me"),
            (None, some, "partial_members"),
            (me, None, "only_me"),
            (me, all, "only_me"),
            (all, me, "only_me"),
            (all, all, "all_team_members"),
        ] {
            let found = narrower(own.map(str::to_owned), of_dify.map(str::to_owned));
            assert_eq!(found.as_str(), expected, "{own:?} {of_dify:?}");
        }
    }
}
