//! The SQL database and its connection pool.

use std::{fmt, path::Path};

use url::Url;

use super::{
    data_dir::{self, SQLITE_FILE},
    reader::Reader,
    settings::{self, DATABASE_URL},
};
use crate::{
    domain::{postgres_hosts::PostgresHosts, secret::Secret},
    ports::sql_pooling::SqlPooling,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatabaseKind {
    Sqlite,
    Postgres,
    /// MySQL or MariaDB.
    MySql,
}

impl DatabaseKind {
    /// Whether several processes can use the database.
    pub const fn is_server(self) -> bool {
        !matches!(self, Self::Sqlite)
    }

    /// The product's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
            Self::MySql => "MySQL",
        }
    }
}

#[derive(Clone)]
pub struct Database {
    pub kind: DatabaseKind,
    /// With user name and password.
    pub url: Secret,
    /// Maximum of connections.
    pub pool_size: u32,
    pub pooling: SqlPooling,
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database")
            .field("url", &self.redacted())
            .field("pool_size", &self.pool_size)
            .finish_non_exhaustive()
    }
}

impl Database {
    /// Reads `DATABASE_URL`, or the `DB_…` settings; without them the database is SQLite in the data directory.
    pub(super) fn read(reader: &mut Reader<'_>, data_dir: Option<&Path>) -> Self {
        let pool_size = reader.number(&settings::SQLALCHEMY_POOL_SIZE, 1..=1_000);
        let parts = [&settings::DB_TYPE, &settings::DB_HOST, &settings::DB_DATABASE];
        let chosen = if reader.given(&DATABASE_URL).is_some() {
            from_url(reader)
        } else if parts.into_iter().any(|setting| reader.given(setting).is_some()) {
            from_parts(reader)
        } else {
            Some(sqlite_in(data_dir.unwrap_or(Path::new(""))))
        };
        if data_dir.is_none() && chosen.as_ref().is_some_and(|(kind, _)| !kind.is_server()) {
            data_dir::missing(reader);
        }
        // After a recorded problem, SQLite causes no further problem.
        let (kind, url) = chosen.unwrap_or_else(|| sqlite_in(Path::new("")));
        let has_problem = reader.has_problem_with("D");
        let pooling = read_pooling(reader);
        if pooling != SqlPooling::Sessions && kind != DatabaseKind::Postgres && !has_problem {
            reader.problem(
                &settings::DB_TRANSACTION_POOLING,
                format_args!("is true although the database is {}; it is for PostgreSQL, so remove it", kind.name()),
            );
        }
        Self { kind, url, pool_size, pooling }
    }

    /// The embedded database of `dev`.
    pub(super) fn embedded(reader: &mut Reader<'_>, data_dir: &Path) -> Self {
        let (kind, url) = sqlite_in(data_dir);
        Self {
            kind,
            url,
            pool_size: reader.number(&settings::SQLALCHEMY_POOL_SIZE, 1..=1_000),
            pooling: SqlPooling::Sessions,
        }
    }

    /// Whether this is the embedded database of the data directory.
    pub(super) fn is_in(&self, data_dir: &Path) -> bool {
        self.url.expose() == sqlite_in(data_dir).1.expose()
    }

    /// The URL without its password.
    pub fn redacted(&self) -> String {
        redact_url(self.url.expose())
    }
}

fn read_pooling(reader: &mut Reader<'_>) -> SqlPooling {
    let in_transactions = reader.flag(&settings::DB_TRANSACTION_POOLING);
    let with_statements = reader.flag(&settings::DB_PREPARED_STATEMENTS);
    match (in_transactions, with_statements) {
        (false, true) => SqlPooling::Sessions,
        (true, true) => SqlPooling::Transactions,
        (true, false) => SqlPooling::TransactionsWithoutStatements,
        (false, false) => {
            reader.problem(
                &settings::DB_PREPARED_STATEMENTS,
                "is false although DB_TRANSACTION_POOLING is not true; only a pooler in transaction mode needs it, so \
                 remove it, or set DB_TRANSACTION_POOLING=true",
            );
            SqlPooling::Sessions
        }
    }
}

/// Removes the password, and the query, which may contain one too.
pub(super) fn redact_url(text: &str) -> String {
    let Ok(mut url) = Url::parse(text) else { return text.split(':').next().unwrap_or_default().to_owned() + ":…" };
    if url.password().is_some() {
        let _ = url.set_password(Some("***"));
    }
    url.set_query(None);
    url.to_string()
}

fn sqlite_in(data_dir: &Path) -> (DatabaseKind, Secret) {
    let file = data_dir.join(SQLITE_FILE);
    (DatabaseKind::Sqlite, Secret::new(format!("sqlite://{}?mode=rwc", file.display())))
}

fn from_url(reader: &mut Reader<'_>) -> Option<(DatabaseKind, Secret)> {
    let text = reader.text(&DATABASE_URL)?;
    let Some((scheme, rest)) = text.split_once(':') else {
        reader.problem(&DATABASE_URL, "is not a URL; write one like postgres://user:password@host:5432/database");
        return None;
    };
    // SQLAlchemy's URLs may name a driver: `postgresql+psycopg2://`.
    let (kind, scheme) = match scheme.split('+').next().unwrap_or_default() {
        "postgres" | "postgresql" => (DatabaseKind::Postgres, "postgres"),
        "mysql" | "mariadb" => (DatabaseKind::MySql, "mysql"),
        "sqlite" => (DatabaseKind::Sqlite, "sqlite"),
        _ => {
            reader.problem(&DATABASE_URL, "has an unknown scheme; begin it with postgres://, mysql:// or sqlite://");
            return None;
        }
    };
    let urls = match kind {
        DatabaseKind::Postgres => match PostgresHosts::parse(&text) {
            Ok(hosts) => hosts.urls,
            Err(error) => {
                reader.problem(&DATABASE_URL, error);
                return None;
            }
        },
        _ => vec![Secret::new(text.as_str())],
    };
    let is_complete = |url: &Secret| Url::parse(url.expose()).is_ok_and(|url| url.has_host() && url.path().len() > 1);
    if kind.is_server() && !urls.iter().all(is_complete) {
        reader.problem(
            &DATABASE_URL,
            format_args!(
                "has no host or no database name, or its password is not percent-encoded; \
                 write {scheme}://user:password@host/database"
            ),
        );
        return None;
    }
    Some((kind, Secret::new(format!("{scheme}:{rest}"))))
}

fn from_parts(reader: &mut Reader<'_>) -> Option<(DatabaseKind, Secret)> {
    let db_type = reader.text(&settings::DB_TYPE).unwrap_or_default();
    let (kind, base, default_user, default_port) = match db_type.as_str() {
        "postgresql" | "postgres" => (DatabaseKind::Postgres, "postgres://", "postgres", 5432),
        "mysql" | "mariadb" => (DatabaseKind::MySql, "mysql://", "root", 3306),
        other => {
            reader.problem(&settings::DB_TYPE, format_args!("is `{other}`; set it to postgresql or mysql"));
            return None;
        }
    };
    let host = reader.text(&settings::DB_HOST).unwrap_or_default();
    let port = reader.optional_number(&settings::DB_PORT, 1..=65_535).unwrap_or(default_port);
    let user = reader.text(&settings::DB_USERNAME).unwrap_or_else(|| default_user.to_owned());
    let database = reader.text(&settings::DB_DATABASE).unwrap_or_default();
    let host = if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host };
    let Ok(mut url) = Url::parse(&format!("{base}{host}:{port}/")) else {
        reader.problem(&settings::DB_HOST, format_args!("is `{host}`; set it to a host name or an IP address"));
        return None;
    };
    // The setters percent-encode, and fail only for URLs without a host.
    let _ = url.set_username(&user);
    if let Some(password) = reader.secret(&settings::DB_PASSWORD) {
        let _ = url.set_password(Some(password.expose()));
    }
    url.set_path(&database);
    Some((kind, Secret::new(url.as_str())))
}
