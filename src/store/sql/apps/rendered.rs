//! The statements on apps that never change, rendered once at start.

use sea_orm::DbBackend;

use super::{
    definition::DetailKind,
    queries::{find, find_for_external, is_me, membership, page},
};
use crate::store::sql::render::{placeholder, render};

/// SQL texts. Each field lists the values that its statement takes, in order.
pub(crate) struct AppStatements {
    /// Workspace, account.
    pub(crate) membership: String,
    /// The same with the number of listed apps. Workspace, account.
    pub(crate) membership_and_total: String,
    /// Workspace, limit, offset.
    pub(crate) page: String,
    /// App, workspace for the second list, version for `DetailKind::Version`, account. The second list is for calls
    /// that name a workspace; its entries are in the order of `DetailKind`.
    pub(crate) find: [[String; 4]; 2],
    /// Version for `DetailKind::Version`, app; in the order of `DetailKind`.
    pub(crate) find_for_external: [String; 4],
}

impl AppStatements {
    pub(crate) fn for_backend(backend: DbBackend) -> Self {
        let membership = |counted| membership(placeholder(), counted).and_where(is_me(placeholder())).take();
        let find = |named| DetailKind::ALL.map(|kind| render(&find(backend, named, kind), backend));
        Self {
            membership: render(&membership(None), backend),
            membership_and_total: render(&membership(Some(&[])), backend),
            page: render(page(backend, placeholder(), &[]).limit(1).offset(1), backend),
            find: [find(false), find(true)],
            find_for_external: DetailKind::ALL.map(|kind| render(&find_for_external(backend, kind), backend)),
        }
    }
}
