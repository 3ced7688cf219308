//! A text anywhere in an app's name, in any case and without wildcards: three databases, three ways to say it.

use sea_orm::{
    DbBackend,
    sea_query::{Expr, SimpleExpr},
};

/// Escapes wildcards in LIKE patterns. A backslash would mean something else in the texts of each database.
const ESCAPE: char = '!';

/// That the name contains the text.
pub(super) fn name_contains(backend: DbBackend, text: &str) -> SimpleExpr {
    match backend {
        DbBackend::Postgres => Expr::cust_with_values("apps.name ILIKE $1 ESCAPE '!'", [like(text)]),
        // Most collations there take `jose` for `José`, which is more than another case.
        DbBackend::MySql => Expr::cust_with_values(
            "LOWER(CONVERT(apps.name USING utf8mb4)) COLLATE utf8mb4_bin \
             LIKE LOWER(CONVERT(? USING utf8mb4)) COLLATE utf8mb4_bin ESCAPE '!'",
            [like(text)],
        ),
        // SQLite's LIKE knows no case but ASCII's.
        _ => Expr::cust_with_values("apps.name GLOB ?", [glob(text)]),
    }
}

fn like(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for char in text.chars() {
        if matches!(char, '%' | '_' | ESCAPE) {
            pattern.push(ESCAPE);
        }
        pattern.push(char);
    }
    pattern.push('%');
    pattern
}

/// Each character as the set of its cases; in a set, no character is a wildcard.
fn glob(text: &str) -> String {
    let mut pattern = "*".to_owned();
    for char in text.chars() {
        if char == '^' {
            // First in a set it would turn the set into its opposite.
            pattern.push(char);
            continue;
        }
        pattern.push('[');
        pattern.push(char);
        pattern.extend(other_case(char.to_lowercase(), char));
        pattern.extend(other_case(char.to_uppercase(), char));
        pattern.push(']');
    }
    pattern.push('*');
    pattern
}

/// The one character that another case of this one is; none where it is the same, or several.
fn other_case(mut case: impl Iterator<Item = char>, of: char) -> Option<char> {
    match (case.next(), case.next()) {
        (Some(char), None) if char != of => Some(char),
        _ => None,
    }
}
