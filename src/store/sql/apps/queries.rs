//! Queries on apps. Each also selects the requesting account's status and its membership, which
//! `membership::read_membership_status` reads.

use sea_orm::{
    DbBackend, Order,
    sea_query::{Alias, Expr, ExprTrait, IntoIden, JoinType, Query, SelectStatement, SimpleExpr},
};

use super::{
    definition::{CONFIG_COLUMNS, DetailKind, WORKFLOW_COLUMNS},
    tags::tag_names,
};
use crate::store::sql::db_uuid::DbUuid;
use crate::store::sql::entity::{
    account, app, app_access as access, app_model_config as config, tenant, tenant_account_join as join, workflow,
};
use crate::store::sql::render::placeholder;

/// Alias of the requesting account.
const ME: &str = "me";
/// Alias of the account that created an app.
const AUTHOR: &str = "author";
/// Limit of apps with one name. The error for an ambiguous name lists them.
const MAX_APPS_WITH_NAME: u64 = 20;

/// The condition that an app is listed. Literals rather than parameters, so that the planner knows their values.
const LISTED: &str = "apps.status = 'normal' AND apps.is_universal = FALSE AND apps.enable_api = TRUE \
    AND apps.mode IN ('chat', 'agent-chat', 'advanced-chat', 'completion', 'workflow')";
/// The condition that an app may be called.
const CALLABLE: &str = "apps.status = 'normal' AND apps.enable_api = TRUE";

fn of_app(column: app::Column) -> SimpleExpr {
    Expr::col((app::Entity, column))
}

/// The condition that the requesting account is this one.
pub(super) fn is_me(id: impl Into<SimpleExpr>) -> SimpleExpr {
    Expr::col((Alias::new(ME), account::Column::Id)).eq(id)
}

/// The requesting account and its membership in a workspace, with the workspace's name. With filters it also counts the
/// apps of the workspace that match all of them, as `total`; for an account that is not a member the count is 0.
pub(super) fn membership(workspace: SimpleExpr, counted: Option<&[SimpleExpr]>) -> SelectStatement {
    let mut select = Query::select();
    select.expr_as(Expr::col((tenant::Entity, tenant::Column::Name)), "workspace_name");
    if let Some(filters) = counted {
        let mut count = Query::select();
        count.expr(of_app(app::Column::Id).count()).from(app::Entity);
        count.and_where(of_app(app::Column::TenantId).equals((join::Entity, join::Column::TenantId)));
        narrow(&mut count, filters);
        select.expr_as(SimpleExpr::SubQuery(None, Box::new(count.into())), "total");
    }
    select_from_me(&mut select);
    join_workspace(&mut select, Expr::col((join::Entity, join::Column::TenantId)).eq(workspace));
    select
        .join(
            JoinType::LeftJoin,
            tenant::Entity,
            Expr::col((tenant::Entity, tenant::Column::Id)).equals((join::Entity, join::Column::TenantId)),
        )
        .take()
}

/// Listed apps of a workspace, newest first, with tags and author names.
pub(super) fn page(backend: DbBackend, workspace: SimpleExpr, filters: &[SimpleExpr]) -> SelectStatement {
    let mut select = Query::select();
    select.expr_as(tag_names(backend), "tags");
    for column in
        [app::Column::Id, app::Column::Name, app::Column::Description, app::Column::Mode, app::Column::UpdatedAt]
    {
        select.column((app::Entity, column));
    }
    select.from(app::Entity);
    join_author(&mut select);
    select.and_where(of_app(app::Column::TenantId).eq(workspace));
    narrow(&mut select, filters);
    select
        .order_by((app::Entity, app::Column::UpdatedAt), Order::Desc)
        .order_by((app::Entity, app::Column::Id), Order::Asc)
        .take()
}

/// The ids of listed apps of every workspace that match the filters, newest first, each with the number of all of them
/// as `total`.
pub(super) fn ids_and_total(filters: &[SimpleExpr]) -> SelectStatement {
    let mut select = Query::select();
    select.column((app::Entity, app::Column::Id)).expr_as(Expr::cust("COUNT(*) OVER ()"), "total").from(app::Entity);
    narrow(&mut select, filters);
    select
        .order_by((app::Entity, app::Column::UpdatedAt), Order::Desc)
        .order_by((app::Entity, app::Column::Id), Order::Asc)
        .take()
}

/// Those of these apps that are listed, in no order, with the names of their workspaces.
pub(super) fn listed_apps(ids: Vec<DbUuid>) -> SelectStatement {
    let mut select = Query::select();
    for column in [
        app::Column::Id,
        app::Column::TenantId,
        app::Column::Name,
        app::Column::Description,
        app::Column::Mode,
        app::Column::UpdatedAt,
    ] {
        select.column((app::Entity, column));
    }
    let of_app = Expr::col((tenant::Entity, tenant::Column::Id)).equals((app::Entity, app::Column::TenantId));
    select
        .expr_as(Expr::col((tenant::Entity, tenant::Column::Name)), "workspace_name")
        .from(app::Entity)
        .join(JoinType::InnerJoin, tenant::Entity, of_app)
        .and_where(Expr::col((app::Entity, app::Column::Id)).is_in(ids));
    narrow(&mut select, &[]);
    select.take()
}

fn narrow(select: &mut SelectStatement, filters: &[SimpleExpr]) {
    select.and_where(Expr::cust(LISTED));
    for filter in filters {
        select.and_where(filter.clone());
    }
}

/// One app in any state, and the requesting account's membership: in the workspace given as a parameter if `named`,
/// else in the app's own.
pub(super) fn find(backend: DbBackend, named: bool, kind: DetailKind) -> SelectStatement {
    let mut select = select_app(backend, kind);
    select_from_me(&mut select);
    select.join(JoinType::LeftJoin, app::Entity, of_app(app::Column::Id).eq(placeholder()));
    let joined = Expr::col((join::Entity, join::Column::TenantId));
    let workspace = if named { joined.eq(placeholder()) } else { joined.equals((app::Entity, app::Column::TenantId)) };
    join_workspace(&mut select, workspace);
    join_details(&mut select, kind);
    select.and_where(is_me(placeholder())).take()
}

/// One app in any state, for a caller that is not an account.
pub(super) fn find_for_external(backend: DbBackend, kind: DetailKind) -> SelectStatement {
    let mut select = select_app(backend, kind);
    select.from(app::Entity);
    join_details(&mut select, kind);
    select.and_where(of_app(app::Column::Id).eq(placeholder())).take()
}

fn select_app(backend: DbBackend, kind: DetailKind) -> SelectStatement {
    let mut select = Query::select();
    if kind.has_author_and_tags() {
        select.expr_as(tag_names(backend), "tags");
    }
    for column in [
        app::Column::TenantId,
        app::Column::Name,
        app::Column::Mode,
        app::Column::Description,
        app::Column::UpdatedAt,
        app::Column::Status,
        app::Column::EnableApi,
        app::Column::MaxActiveRequests,
    ] {
        select.column((app::Entity, column));
    }
    select.expr_as(of_app(app::Column::Id), "app_id").take()
}

fn join_details(select: &mut SelectStatement, kind: DetailKind) {
    if kind.has_author_and_tags() {
        join_author(select);
    }
    select.join(
        JoinType::LeftJoin,
        config::Entity,
        Expr::col((config::Entity, config::Column::Id)).equals((app::Entity, app::Column::AppModelConfigId)),
    );
    select.column((config::Entity, config::Column::AgentMode));
    let of_app = Expr::col((access::Entity, access::Column::AppId)).equals((app::Entity, app::Column::Id));
    select.join(JoinType::LeftJoin, access::Entity, of_app).column((access::Entity, access::Column::AccessMode));
    if kind != DetailKind::Outline {
        join_definition(select, kind);
    }
}

fn join_definition(select: &mut SelectStatement, kind: DetailKind) {
    for column in CONFIG_COLUMNS {
        select.column((config::Entity, column));
    }
    select.expr_as(Expr::col((config::Entity, config::Column::Id)), "config_id");
    for column in WORKFLOW_COLUMNS {
        select.column((workflow::Entity, column));
    }
    select.expr_as(Expr::col((workflow::Entity, workflow::Column::Id)), "graph_id");
    let id = Expr::col((workflow::Entity, workflow::Column::Id));
    let is_version = if kind == DetailKind::Version {
        let of_app = Expr::col((workflow::Entity, workflow::Column::AppId)).equals((app::Entity, app::Column::Id));
        id.eq(placeholder()).and(of_app).and(Expr::cust("workflows.version <> 'draft'"))
    } else {
        id.equals((app::Entity, app::Column::WorkflowId))
    };
    select.join(JoinType::LeftJoin, workflow::Entity, is_version);
}

/// The apps of a workspace that may be called and whose name matches `is_name`, newest first.
pub(super) fn apps_with_name(workspace: SimpleExpr, is_name: SimpleExpr, me: SimpleExpr) -> SelectStatement {
    let mut select = Query::select();
    select.expr_as(of_app(app::Column::Id), "app_id").column((app::Entity, app::Column::Mode));
    select_from_me(&mut select);
    join_workspace(&mut select, Expr::col((join::Entity, join::Column::TenantId)).eq(workspace));
    let in_workspace = of_app(app::Column::TenantId).equals((join::Entity, join::Column::TenantId));
    select
        .join(JoinType::LeftJoin, app::Entity, in_workspace.and(is_name).and(Expr::cust(CALLABLE)))
        .and_where(is_me(me))
        .order_by((app::Entity, app::Column::UpdatedAt), Order::Desc)
        .order_by((app::Entity, app::Column::Id), Order::Asc)
        .limit(MAX_APPS_WITH_NAME)
        .take()
}

/// The listed apps of a workspace that match the filters, newest first, with the workspace's name.
pub(super) fn candidates(workspace: SimpleExpr, filters: &[SimpleExpr], me: SimpleExpr) -> SelectStatement {
    let mut select = Query::select();
    select
        .expr_as(of_app(app::Column::Id), "app_id")
        .expr_as(Expr::col((tenant::Entity, tenant::Column::Name)), "workspace_name");
    select_from_me(&mut select);
    join_workspace(&mut select, Expr::col((join::Entity, join::Column::TenantId)).eq(workspace));
    let in_workspace = of_app(app::Column::TenantId).equals((join::Entity, join::Column::TenantId));
    let is_listed = filters.iter().fold(in_workspace.and(Expr::cust(LISTED)), |all, one| all.and(one.clone()));
    select
        .join(
            JoinType::LeftJoin,
            tenant::Entity,
            Expr::col((tenant::Entity, tenant::Column::Id)).equals((join::Entity, join::Column::TenantId)),
        )
        .join(JoinType::LeftJoin, app::Entity, is_listed)
        .and_where(is_me(me))
        .order_by((app::Entity, app::Column::UpdatedAt), Order::Desc)
        .order_by((app::Entity, app::Column::Id), Order::Asc)
        .take()
}

fn select_from_me(select: &mut SelectStatement) {
    select
        .expr_as(Expr::col((Alias::new(ME), account::Column::Status)), "account_status")
        .expr_as(Expr::col((join::Entity, join::Column::TenantId)), "joined_tenant_id")
        .from_as(account::Entity, Alias::new(ME));
}

fn join_workspace(select: &mut SelectStatement, is_workspace: SimpleExpr) {
    let joined = Expr::col((join::Entity, join::Column::AccountId)).equals((Alias::new(ME), account::Column::Id));
    select.join(JoinType::LeftJoin, join::Entity, joined.and(is_workspace));
}

fn join_author(select: &mut SelectStatement) {
    let author = Alias::new(AUTHOR);
    let made = Expr::col((author.clone(), account::Column::Id)).equals((app::Entity, app::Column::CreatedBy));
    select.expr_as(Expr::col((author.clone(), account::Column::Name)), "author_name").join_as(
        JoinType::LeftJoin,
        account::Entity,
        author.into_iden(),
        made,
    );
}
