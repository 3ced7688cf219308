//! Tags of apps.

use sea_orm::{
    DbBackend, DbErr, QueryResult,
    sea_query::{Expr, ExprTrait, JoinType, Query, SimpleExpr},
};

use crate::store::sql::entity::{app, tag, tag_binding};

/// The condition that an app has a tag of the workspace for which `is_tag` holds.
pub(super) fn has_tag(workspace: SimpleExpr, is_tag: SimpleExpr) -> SimpleExpr {
    let bound = Query::select()
        .expr(Expr::val(1))
        .from(tag_binding::Entity)
        .join(JoinType::InnerJoin, tag::Entity, joins_tag())
        .and_where(
            Expr::col((tag_binding::Entity, tag_binding::Column::TargetId)).equals((app::Entity, app::Column::Id)),
        )
        .and_where(Expr::col((tag::Entity, tag::Column::TenantId)).eq(workspace))
        .and_where(is_app_tag())
        .and_where(is_tag)
        .take();
    Expr::exists(bound)
}

/// Names of an app's tags as the text of a JSON array. Without tags it is null or an empty array, depending on the
/// database.
pub(super) fn tag_names(backend: DbBackend) -> SimpleExpr {
    let names = match backend {
        DbBackend::Postgres => "CAST(json_agg(tags.name) AS text)",
        DbBackend::MySql => "CAST(JSON_ARRAYAGG(tags.name) AS CHAR)",
        _ => "json_group_array(tags.name)",
    };
    let of_app = Query::select()
        .expr(Expr::cust(names))
        .from(tag_binding::Entity)
        .join(JoinType::InnerJoin, tag::Entity, joins_tag())
        .and_where(
            Expr::col((tag_binding::Entity, tag_binding::Column::TargetId)).equals((app::Entity, app::Column::Id)),
        )
        .and_where(Expr::col((tag::Entity, tag::Column::TenantId)).equals((app::Entity, app::Column::TenantId)))
        .and_where(is_app_tag())
        .take();
    SimpleExpr::SubQuery(None, Box::new(of_app.into()))
}

/// Reads the column `tags`: names in order, each once.
pub(super) fn read_tags(row: &QueryResult) -> Result<Vec<String>, DbErr> {
    let names: Option<String> = row.try_get_by("tags")?;
    let mut names: Vec<String> = names
        .map_or(Ok(Vec::new()), |names| serde_json::from_str(&names))
        .map_err(|error| DbErr::Json(error.to_string()))?;
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

fn joins_tag() -> SimpleExpr {
    Expr::col((tag::Entity, tag::Column::Id)).equals((tag_binding::Entity, tag_binding::Column::TagId))
}

fn is_app_tag() -> SimpleExpr {
    Expr::cust("tags.type = 'app'")
}
