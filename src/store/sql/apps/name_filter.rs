//! The condition that an app's name contains a text, without case and without wildcards. Each database needs its own.

use sea_orm::{
    DbBackend,
    sea_query::{Expr, SimpleExpr},
};

/// The escape character of LIKE patterns. A backslash would have another meaning in the string literals of each
/// database.
const ESCAPE: char = '!';

pub(super) fn name_contains(backend: DbBackend, text: &str) -> SimpleExpr {
    match backend {
        DbBackend::Postgres => Expr::cust_with_values("apps.name ILIKE $1 ESCAPE '!'", [like(text)]),
        // In most of its collations `jose` equals `José`, which differs by more than case.
        DbBackend::MySql => Expr::cust_with_values(
            "LOWER(CONVERT(apps.name USING utf8mb4)) COLLATE utf8mb4_bin \
             LIKE LOWER(CONVERT(? USING utf8mb4)) COLLATE utf8mb4_bin ESCAPE '!'",
            [like(text)],
        ),
        // SQLite's LIKE ignores the case of ASCII letters only.
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

/// A GLOB pattern with each character as the set of its cases. Within a set, no character is a wildcard.
fn glob(text: &str) -> String {
    let mut pattern = "*".to_owned();
    for char in text.chars() {
        if char == '^' {
            // As the first character of a set it would negate the set.
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

/// The character in another case; `None` when it is the same or becomes several characters.
fn other_case(mut case: impl Iterator<Item = char>, of: char) -> Option<char> {
    match (case.next(), case.next()) {
        (Some(char), None) if char != of => Some(char),
        _ => None,
    }
}
