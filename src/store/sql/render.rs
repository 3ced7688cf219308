//! Rendering of statements that never change, so that a request only binds values.

use sea_orm::{
    DbBackend, StatementBuilder, Value,
    sea_query::{Expr, SelectStatement, SimpleExpr},
};

/// A place for a value that is bound later; the value given here is never sent.
pub(super) fn placeholder() -> SimpleExpr {
    Expr::val(Value::String(None))
}

/// The SQL text of a statement.
pub(super) fn render(select: &SelectStatement, backend: DbBackend) -> String {
    StatementBuilder::build(select, &backend).sql
}
