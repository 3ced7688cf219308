//! Text in SQL: exact comparison, and values that every database can store.

use sea_orm::{
    ColumnTrait, DbBackend,
    sea_query::{BinOper, Expr, SimpleExpr},
};
use serde_json::Value;

use super::sql_store::SqlStore;

impl SqlStore {
    /// The condition that a column holds exactly this text.
    pub(super) fn is_exactly(&self, column: impl ColumnTrait, text: &str) -> SimpleExpr {
        self.is_same(Expr::col(column.as_column_ref()), Expr::val(text))
    }

    /// The condition that two texts are the same.
    ///
    /// MySQL compares by collation, and in most collations `jose` equals `José` with a trailing blank. Its bytes are
    /// compared as well; the plain comparison stays, because an index can answer it.
    pub(super) fn is_same(&self, left: impl Into<SimpleExpr>, right: impl Into<SimpleExpr>) -> SimpleExpr {
        let (left, right) = (left.into(), right.into());
        let same = SimpleExpr::Binary(Box::new(left.clone()), BinOper::Equal, Box::new(right.clone()));
        if self.backend != DbBackend::MySql {
            return same;
        }
        let bytes = "CAST(CONVERT(? USING utf8mb4) AS BINARY) = CAST(CONVERT(? USING utf8mb4) AS BINARY)";
        let bytes = Expr::cust_with_exprs(bytes, [left, right]);
        SimpleExpr::Binary(Box::new(same), BinOper::And, Box::new(bytes))
    }
}

/// A text with each NUL replaced by U+FFFD. PostgreSQL stores no NUL, neither in text nor in JSON, and a row must not
/// be lost to one.
pub(super) fn without_nul(text: &str) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text.to_owned() }
}

/// A JSON value whose strings and member names went through [`without_nul`].
pub(super) fn json_without_nul(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(without_nul(text)),
        Value::Array(items) => items.iter().map(json_without_nul).collect(),
        Value::Object(members) => {
            Value::Object(members.iter().map(|(name, value)| (without_nul(name), json_without_nul(value))).collect())
        }
        other => other.clone(),
    }
}
