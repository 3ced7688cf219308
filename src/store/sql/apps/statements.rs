//! The statements on apps, as queries; those that never change are rendered once at start.

use sea_orm::{
    DbBackend, Order, StatementBuilder,
    sea_query::{Alias, Expr, ExprTrait, IntoIden, JoinType, Query, SelectStatement, SimpleExpr},
};

use super::found::Load;
use crate::store::sql::{
    entity::{
        account, app, app_model_config as config, tag, tag_binding, tenant, tenant_account_join as join, workflow,
    },
    hot::place,
};

/// What the account that asks is called in a statement.
const ME: &str = "me";
/// What the account that made an app is called.
const AUTHOR: &str = "author";
/// Apps of one name that are looked for: enough to tell that it is ambiguous, and which ones there are.
pub(super) const NAMESAKES: u64 = 20;

/// That an app is one that lists hold. Constants, so that a plan is made for them.
const LISTED: &str = "apps.status = 'normal' AND apps.is_universal = FALSE AND apps.enable_api = TRUE \
    AND apps.mode IN ('chat', 'agent-chat', 'advanced-chat', 'completion', 'workflow')";
/// That an app may be called at all.
const CALLABLE: &str = "apps.status = 'normal' AND apps.enable_api = TRUE";

/// Rendered statements; each says which values it takes, in order.
pub(in crate::store::sql) struct AppStatements {
    /// Workspace, account.
    pub(in crate::store::sql) standing: String,
    /// Workspace, account.
    pub(in crate::store::sql) counted: String,
    /// Workspace, limit, offset.
    pub(in crate::store::sql) page: String,
    /// App, workspace if it was named, version if one was, account.
    pub(in crate::store::sql) find: [[String; 4]; 2],
}

impl AppStatements {
    pub(in crate::store::sql) fn for_backend(backend: DbBackend) -> Self {
        let render = |select: &SelectStatement| StatementBuilder::build(select, &backend).sql;
        let find = |named| {
            [Load::Outline, Load::Published, Load::Run, Load::Version].map(|load| render(&find(backend, named, load)))
        };
        Self {
            standing: render(&standing(place(), None).and_where(is_me(place())).take()),
            counted: render(&standing(place(), Some(&[])).and_where(is_me(place())).take()),
            page: render(page(backend, place(), &[]).limit(1).offset(1)),
            find: [find(false), find(true)],
        }
    }
}

fn of_app(column: app::Column) -> SimpleExpr {
    Expr::col((app::Entity, column))
}

/// That the account that asks is this one.
pub(super) fn is_me(id: impl Into<SimpleExpr>) -> SimpleExpr {
    Expr::col((Alias::new(ME), account::Column::Id)).eq(id)
}

/// The account that asks and its place in a workspace, with the workspace's name; with filters, also how many apps of the
/// workspace pass them. For a stranger there is no workspace, and nothing is counted.
pub(super) fn standing(workspace: SimpleExpr, counted: Option<&[SimpleExpr]>) -> SelectStatement {
    let mut select = Query::select();
    select.expr_as(Expr::col((tenant::Entity, tenant::Column::Name)), "workspace_name");
    if let Some(filters) = counted {
        let mut count = Query::select();
        count.expr(of_app(app::Column::Id).count()).from(app::Entity);
        count.and_where(of_app(app::Column::TenantId).equals((join::Entity, join::Column::TenantId)));
        narrow(&mut count, filters);
        select.expr_as(SimpleExpr::SubQuery(None, Box::new(count.into())), "total");
    }
    from_me(&mut select);
    join_workspace(&mut select, Expr::col((join::Entity, join::Column::TenantId)).eq(workspace));
    select
        .join(
            JoinType::LeftJoin,
            tenant::Entity,
            Expr::col((tenant::Entity, tenant::Column::Id)).equals((join::Entity, join::Column::TenantId)),
        )
        .take()
}

/// Apps of a workspace, newest first, with their tags and their authors' names.
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

fn narrow(select: &mut SelectStatement, filters: &[SimpleExpr]) {
    select.and_where(Expr::cust(LISTED));
    for filter in filters {
        select.and_where(filter.clone());
    }
}

/// That an app has a tag of the workspace.
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

/// Names of an app's tags, as the text of a JSON list; null or an empty list where there are none.
fn tag_names(backend: DbBackend) -> SimpleExpr {
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

fn joins_tag() -> SimpleExpr {
    Expr::col((tag::Entity, tag::Column::Id)).equals((tag_binding::Entity, tag_binding::Column::TagId))
}

fn is_app_tag() -> SimpleExpr {
    Expr::cust("tags.type = 'app'")
}

/// One app whatever its state, with the standing of the account that asks in its workspace or in the one it named.
fn find(backend: DbBackend, named: bool, load: Load) -> SelectStatement {
    let mut select = Query::select();
    if load.is_told() {
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
    select.expr_as(of_app(app::Column::Id), "app_id");
    from_me(&mut select);
    select.join(JoinType::LeftJoin, app::Entity, of_app(app::Column::Id).eq(place()));
    let joined = Expr::col((join::Entity, join::Column::TenantId));
    let workspace = if named { joined.eq(place()) } else { joined.equals((app::Entity, app::Column::TenantId)) };
    join_workspace(&mut select, workspace);
    if load.is_told() {
        join_author(&mut select);
    }
    select.join(
        JoinType::LeftJoin,
        config::Entity,
        Expr::col((config::Entity, config::Column::Id)).equals((app::Entity, app::Column::AppModelConfigId)),
    );
    select.column((config::Entity, config::Column::AgentMode));
    if load != Load::Outline {
        join_definition(&mut select, load);
    }
    select.and_where(is_me(place())).take()
}

fn join_definition(select: &mut SelectStatement, load: Load) {
    for column in super::found::CONFIG_COLUMNS {
        select.column((config::Entity, column));
    }
    select.expr_as(Expr::col((config::Entity, config::Column::Id)), "config_id");
    for column in super::found::WORKFLOW_COLUMNS {
        select.column((workflow::Entity, column));
    }
    select.expr_as(Expr::col((workflow::Entity, workflow::Column::Id)), "graph_id");
    let id = Expr::col((workflow::Entity, workflow::Column::Id));
    let is_version = if load == Load::Version {
        let of_app = Expr::col((workflow::Entity, workflow::Column::AppId)).equals((app::Entity, app::Column::Id));
        id.eq(place()).and(of_app).and(Expr::cust("workflows.version <> 'draft'"))
    } else {
        id.equals((app::Entity, app::Column::WorkflowId))
    };
    select.join(JoinType::LeftJoin, workflow::Entity, is_version);
}

/// Apps of exactly one name in a workspace that may be called, and the standing of the account that asks.
pub(super) fn namesakes(workspace: SimpleExpr, is_name: SimpleExpr, me: SimpleExpr) -> SelectStatement {
    let mut select = Query::select();
    select.expr_as(of_app(app::Column::Id), "app_id").column((app::Entity, app::Column::Mode));
    from_me(&mut select);
    join_workspace(&mut select, Expr::col((join::Entity, join::Column::TenantId)).eq(workspace));
    let in_workspace = of_app(app::Column::TenantId).equals((join::Entity, join::Column::TenantId));
    select
        .join(JoinType::LeftJoin, app::Entity, in_workspace.and(is_name).and(Expr::cust(CALLABLE)))
        .and_where(is_me(me))
        .order_by((app::Entity, app::Column::UpdatedAt), Order::Desc)
        .order_by((app::Entity, app::Column::Id), Order::Asc)
        .limit(NAMESAKES)
        .take()
}

fn from_me(select: &mut SelectStatement) {
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
