//! Column types as Dify lays them out on each database.

use sea_orm_migration::{
    prelude::*,
    sea_orm::{ConnectionTrait, DbBackend},
};

/// Makes columns for one database.
pub(crate) struct Columns(DbBackend);

impl Columns {
    pub(crate) fn of(manager: &SchemaManager<'_>) -> Self {
        Self(manager.get_connection().get_database_backend())
    }

    /// Whether this is MySQL or MariaDB, which know no partial or (MariaDB) expression indexes.
    pub(crate) fn is_mysql(&self) -> bool {
        self.0 == DbBackend::MySql
    }

    /// A UUID: native on PostgreSQL, 36 characters of text elsewhere, as Dify has it on MySQL.
    pub(crate) fn uuid(&self, name: &'static str) -> ColumnDef {
        let mut column = ColumnDef::new(name);
        match self.0 {
            DbBackend::Postgres => column.uuid(),
            _ => column.char_len(36),
        };
        column
    }

    /// The column `id`; PostgreSQL fills it in by itself, as under Dify.
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

    /// Text that an index covers, which MySQL can only do within a length.
    pub(crate) fn indexed_text(&self, name: &'static str) -> ColumnDef {
        let mut column = ColumnDef::new(name);
        if self.is_mysql() {
            column.string_len(255)
        } else {
            column.text()
        };
        column
    }

    /// Text of any length: graphs, answers, JSON as Dify keeps most of it. MySQL's own `text` ends at 64 KB.
    pub(crate) fn long_text(&self, name: &'static str) -> ColumnDef {
        let mut column = ColumnDef::new(name);
        if self.is_mysql() {
            column.custom("longtext")
        } else {
            column.text()
        };
        column
    }

    /// A text that is filled in on insert; MySQL takes such a default as an expression only.
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

    /// `timestamp without time zone` holding UTC: every time of Dify's but those of `oauth_access_tokens`.
    pub(crate) fn timestamp(&self, name: &'static str) -> ColumnDef {
        let mut column = ColumnDef::new(name);
        if self.is_mysql() {
            column.custom("datetime(6)")
        } else {
            column.timestamp()
        };
        column
    }

    /// A timestamp that is filled in on insert, in whole seconds as Dify's default has it.
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

    /// A timestamp with time zone that is filled in on insert.
    pub(crate) fn timestamptz_now(&self, name: &'static str) -> ColumnDef {
        let mut column = self.timestamptz(name);
        column.not_null().default(Expr::cust(match self.0 {
            DbBackend::Postgres => "now()",
            DbBackend::MySql => "CURRENT_TIMESTAMP(6)",
            // The text form that every other value of the column has, so that texts compare as times.
            _ => "(strftime('%Y-%m-%dT%H:%M:%S+00:00', 'now'))",
        }));
        column
    }
}
