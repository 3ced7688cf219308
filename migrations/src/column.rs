//! Column types, as Dify declares them on each database.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

/// Column definitions for one database.
pub(crate) struct Columns(DbBackend);

impl Columns {
    pub(crate) fn of(backend: DbBackend) -> Self {
        Self(backend)
    }

    /// Whether this is MySQL or MariaDB. Neither has partial indexes, and MariaDB has no expression indexes.
    pub(crate) fn is_mysql(&self) -> bool {
        self.0 == DbBackend::MySql
    }

    /// A UUID: native on PostgreSQL, elsewhere 36 characters of text, as Dify declares it on MySQL.
    pub(crate) fn uuid(&self, name: &'static str) -> ColumnDef {
        let mut column = ColumnDef::new(name);
        match self.0 {
            DbBackend::Postgres => column.uuid(),
            _ => column.char_len(36),
        };
        column
    }

    /// The column `id`, with Dify's default on PostgreSQL.
    pub(crate) fn id(&self) -> ColumnDef {
        let mut column = self.uuid("id");
        column.not_null();
        if self.0 == DbBackend::Postgres {
            column.default(Expr::cust("gen_random_uuid()"));
        }
        column
    }

    /// `varchar(length)`.
    pub(crate) fn varchar(name: &'static str, length: u32) -> ColumnDef {
        let mut column = ColumnDef::new(name);
        column.string_len(length);
        column
    }

    /// Text in an index. MySQL needs a limit of its length.
    pub(crate) fn indexed_text(&self, name: &'static str) -> ColumnDef {
        let mut column = ColumnDef::new(name);
        if self.is_mysql() {
            column.string_len(255)
        } else {
            column.text()
        };
        column
    }

    /// Text of any length: graphs, answers, and most of Dify's JSON. MySQL's `text` is limited to 64 KB.
    pub(crate) fn long_text(&self, name: &'static str) -> ColumnDef {
        let mut column = ColumnDef::new(name);
        if self.is_mysql() {
            column.custom("longtext")
        } else {
            column.text()
        };
        column
    }

    /// Text with a default. MySQL accepts a default of text as an expression only.
    pub(crate) fn long_text_or(&self, name: &'static str, default: &'static str) -> ColumnDef {
        let mut column = self.long_text(name);
        column.not_null().default(Expr::cust(format!("('{default}')")));
        column
    }

    /// `boolean NOT NULL DEFAULT …`.
    pub(crate) fn flag(name: &'static str, default: bool) -> ColumnDef {
        let mut column = ColumnDef::new(name);
        column.boolean().not_null().default(default);
        column
    }

    /// `integer NOT NULL DEFAULT 0`.
    pub(crate) fn count(name: &'static str) -> ColumnDef {
        let mut column = ColumnDef::new(name);
        column.integer().not_null().default(0);
        column
    }

    /// `timestamp without time zone` in UTC, the type of Dify's times except those of `oauth_access_tokens`.
    pub(crate) fn timestamp(&self, name: &'static str) -> ColumnDef {
        let mut column = ColumnDef::new(name);
        if self.is_mysql() {
            column.custom("datetime(6)")
        } else {
            column.timestamp()
        };
        column
    }

    /// A timestamp that defaults to the time of the insert. PostgreSQL's default has whole seconds, like Dify's.
    pub(crate) fn timestamp_now(&self, name: &'static str) -> ColumnDef {
        let mut column = self.timestamp(name);
        column.not_null().default(Expr::cust(match self.0 {
            DbBackend::Postgres => "CURRENT_TIMESTAMP(0)",
            DbBackend::MySql => "CURRENT_TIMESTAMP(6)",
            _ => "CURRENT_TIMESTAMP",
        }));
        column
    }

    /// `timestamp with time zone`.
    pub(crate) fn timestamptz(&self, name: &'static str) -> ColumnDef {
        let mut column = ColumnDef::new(name);
        if self.is_mysql() {
            column.custom("datetime(6)")
        } else {
            column.timestamp_with_time_zone()
        };
        column
    }

    /// A timestamp with time zone that defaults to the time of the insert.
    pub(crate) fn timestamptz_now(&self, name: &'static str) -> ColumnDef {
        let mut column = self.timestamptz(name);
        column.not_null().default(Expr::cust(match self.0 {
            DbBackend::Postgres => "now()",
            DbBackend::MySql => "CURRENT_TIMESTAMP(6)",
            // The text form of the values that are written, so that comparing texts compares times.
            _ => "(strftime('%Y-%m-%dT%H:%M:%S+00:00', 'now'))",
        }));
        column
    }
}
