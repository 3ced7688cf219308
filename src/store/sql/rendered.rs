//! The statements of authentication and sign-in, rendered once at start.

use sea_orm::{
    DbBackend,
    sea_query::{Expr, ExprTrait, JoinType, Query, SelectStatement},
};

use super::{
    apps::rendered::AppStatements,
    columns::{join_workspaces, select_account},
    entity::{account, browser_session, oauth_access_token as token},
    render::{placeholder, render},
};

/// SQL texts. Each field lists the values that its statement takes, in order.
pub(super) struct RenderedStatements {
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
    pub(super) apps: AppStatements,
}

impl RenderedStatements {
    pub(super) fn for_backend(backend: DbBackend) -> Self {
        Self {
            find_account_view: render(&find_account_view(), backend),
            find_account_status: render(&find_account_status(), backend),
            find_token: render(&find_token(), backend),
            confirm_minted: render(&confirm_minted(), backend),
            find_browser_session: render(&find_browser_session(), backend),
            apps: AppStatements::for_backend(backend),
        }
    }
}

fn find_account_view() -> SelectStatement {
    let mut select = Query::select();
    select_account(&mut select);
    select.from(account::Entity);
    join_workspaces(&mut select);
    select.and_where(Expr::col((account::Entity, account::Column::Id)).eq(placeholder())).take()
}

fn find_account_status() -> SelectStatement {
    Query::select()
        .column(account::Column::Status)
        .from(account::Entity)
        .and_where(Expr::col(account::Column::Id).eq(placeholder()))
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
        .and_where(Expr::col((token::Entity, token::Column::TokenHash)).eq(placeholder()))
        .and_where(Expr::col((token::Entity, token::Column::RevokedAt)).is_null())
        .take()
}

fn confirm_minted() -> SelectStatement {
    let mut select = Query::select();
    select_account(&mut select);
    select.expr_as(Expr::col((token::Entity, token::Column::ExpiresAt)), "token_expires_at").from(token::Entity).join(
        JoinType::InnerJoin,
        account::Entity,
        Expr::col((account::Entity, account::Column::Id)).equals((token::Entity, token::Column::AccountId)),
    );
    join_workspaces(&mut select);
    select
        .and_where(Expr::col((token::Entity, token::Column::Id)).eq(placeholder()))
        .and_where(Expr::col((token::Entity, token::Column::TokenHash)).eq(placeholder()))
        .and_where(Expr::col((token::Entity, token::Column::RevokedAt)).is_null())
        .and_where(Expr::col((token::Entity, token::Column::ExpiresAt)).gt(placeholder()))
        .take()
}

fn find_browser_session() -> SelectStatement {
    let mut select = Query::select();
    select_account(&mut select);
    select
        .from(browser_session::Entity)
        .join(
            JoinType::InnerJoin,
            account::Entity,
            Expr::col((account::Entity, account::Column::Id))
                .equals((browser_session::Entity, browser_session::Column::AccountId)),
        )
        .and_where(Expr::col((browser_session::Entity, browser_session::Column::Id)).eq(placeholder()))
        .and_where(Expr::col((browser_session::Entity, browser_session::Column::AccountId)).eq(placeholder()))
        .and_where(Expr::col((browser_session::Entity, browser_session::Column::ExpiresAt)).gt(placeholder()))
        .take()
}
