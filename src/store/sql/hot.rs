//! The statements of the hot path, rendered once at start, so that a request only binds values.

use sea_orm::{
    DbBackend, StatementBuilder, Value,
    sea_query::{Expr, ExprTrait, JoinType, Query, SelectStatement, SimpleExpr},
};

use super::{
    apps::AppStatements,
    entity::{account, browser_session, oauth_access_token as token},
    identity::{account_columns, join_workspaces},
};

/// Rendered statements; each says which values it takes, in order.
pub(super) struct Hot {
    /// Account id.
    pub(super) find_account_view: String,
    /// Account id.
    pub(super) find_account_status: String,
    /// Token hash.
    pub(super) find_token: String,
    /// Token id, token hash, now.
    pub(super) confirm_minted: String,
    /// Browser session id, account id, now.
    pub(super) find_browser_session: String,
    /// Those on apps.
    pub(super) apps: AppStatements,
}

impl Hot {
    pub(super) fn for_backend(backend: DbBackend) -> Self {
        let render = |select: &SelectStatement| StatementBuilder::build(select, &backend).sql;
        Self {
            find_account_view: render(&find_account_view()),
            find_account_status: render(&find_account_status()),
            find_token: render(&find_token()),
            confirm_minted: render(&confirm_minted()),
            find_browser_session: render(&find_browser_session()),
            apps: AppStatements::for_backend(backend),
        }
    }
}

/// A place for a value; what stands there is never sent.
pub(super) fn place() -> SimpleExpr {
    Expr::val(Value::String(None))
}

fn find_account_view() -> SelectStatement {
    let mut select = Query::select();
    account_columns(&mut select);
    select.from(account::Entity);
    join_workspaces(&mut select);
    select.and_where(Expr::col((account::Entity, account::Column::Id)).eq(place())).take()
}

fn find_account_status() -> SelectStatement {
    Query::select()
        .column(account::Column::Status)
        .from(account::Entity)
        .and_where(Expr::col(account::Column::Id).eq(place()))
        .take()
}

fn find_token() -> SelectStatement {
    let columns = [
        token::Column::Id,
        token::Column::SubjectEmail,
        token::Column::SubjectIssuer,
        token::Column::AccountId,
        token::Column::ClientId,
        token::Column::Prefix,
        token::Column::ExpiresAt,
    ];
    Query::select()
        .columns(columns.map(|column| (token::Entity, column)))
        .expr_as(Expr::col((account::Entity, account::Column::Status)), "account_status")
        .from(token::Entity)
        .join(
            JoinType::LeftJoin,
            account::Entity,
            Expr::col((account::Entity, account::Column::Id)).equals((token::Entity, token::Column::AccountId)),
        )
        .and_where(Expr::col((token::Entity, token::Column::TokenHash)).eq(place()))
        .and_where(Expr::col((token::Entity, token::Column::RevokedAt)).is_null())
        .take()
}

fn confirm_minted() -> SelectStatement {
    let mut select = Query::select();
    account_columns(&mut select);
    select.expr_as(Expr::col((token::Entity, token::Column::ExpiresAt)), "token_expires_at").from(token::Entity).join(
        JoinType::InnerJoin,
        account::Entity,
        Expr::col((account::Entity, account::Column::Id)).equals((token::Entity, token::Column::AccountId)),
    );
    join_workspaces(&mut select);
    select
        .and_where(Expr::col((token::Entity, token::Column::Id)).eq(place()))
        .and_where(Expr::col((token::Entity, token::Column::TokenHash)).eq(place()))
        .and_where(Expr::col((token::Entity, token::Column::RevokedAt)).is_null())
        .and_where(Expr::col((token::Entity, token::Column::ExpiresAt)).gt(place()))
        .take()
}

fn find_browser_session() -> SelectStatement {
    let mut select = Query::select();
    account_columns(&mut select);
    select
        .from(browser_session::Entity)
        .join(
            JoinType::InnerJoin,
            account::Entity,
            Expr::col((account::Entity, account::Column::Id))
                .equals((browser_session::Entity, browser_session::Column::AccountId)),
        )
        .and_where(Expr::col((browser_session::Entity, browser_session::Column::Id)).eq(place()))
        .and_where(Expr::col((browser_session::Entity, browser_session::Column::AccountId)).eq(place()))
        .and_where(Expr::col((browser_session::Entity, browser_session::Column::ExpiresAt)).gt(place()))
        .take()
}
