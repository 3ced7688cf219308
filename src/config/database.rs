//! Which SQL database, and how many connections to it.

use std::{fmt, path::Path};

use url::Url;

use super::{
    data_dir::{self, SQLITE_FILE},
    reader::Reader,
};
use crate::domain::secret::Secret;

/// The kinds of database there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatabaseKind {
    /// Embedded.
    Sqlite,
    /// `DB_TYPE=postgresql`.
    Postgres,
    /// `DB_TYPE=mysql`, MariaDB included.
    MySql,
}

impl DatabaseKind {
    /// Whether other processes can share it.
    pub const fn is_server(self) -> bool {
        !matches!(self, Self::Sqlite)
    }

    /// Its name, for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
            Self::MySql => "MySQL",
        }
    }
}

/// The SQL database.
#[derive(Clone)]
pub struct Database {
    /// Its kind.
    pub kind: DatabaseKind,
    /// Its URL, password included.
    pub url: Secret,
    /// Most connections (`SQLALCHEMY_POOL_SIZE`).
    pub pool_size: u32,
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
    /// `DATABASE_URL`, else the parts `DB_*`, else SQLite in the data directory.
    pub(super) fn read(reader: &mut Reader<'_>, data_dir: Option<&Path>) -> Self {
        let pool_size = reader.number("SQLALCHEMY_POOL_SIZE", 30, 1..=1_000);
        let named = |name: &&str| reader.text(name).is_some();
        let chosen = if named(&"DATABASE_URL") {
            from_url(reader)
        } else if ["DB_TYPE", "DB_HOST", "DB_DATABASE"].iter().any(named) {
            from_parts(reader)
        } else {
            Some(sqlite_in(data_dir.unwrap_or(Path::new(""))))
        };
        if data_dir.is_none() && chosen.as_ref().is_some_and(|(kind, _)| !kind.is_server()) {
            data_dir::missing(reader);
        }
        // What is faulty has been noted; any kind will do, and this one asks for nothing more.
        let (kind, url) = chosen.unwrap_or_else(|| sqlite_in(Path::new("")));
        Self { kind, url, pool_size }
    }

    /// The embedded database of `dev`.
    pub(super) fn embedded(reader: &mut Reader<'_>, data_dir: &Path) -> Self {
        let (kind, url) = sqlite_in(data_dir);
        Self { kind, url, pool_size: reader.number("SQLALCHEMY_POOL_SIZE", 30, 1..=1_000) }
    }

    /// Whether it is the embedded one of this data directory.
    pub(super) fn is_in(&self, data_dir: &Path) -> bool {
        self.url.expose() == sqlite_in(data_dir).1.expose()
    }

    /// The URL without its password.
    pub fn redacted(&self) -> String {
        redact_url(self.url.expose())
    }
}

/// A URL without its password and without its query, which may hold one too.
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
    const NAME: &str = "DATABASE_URL";
    let text = reader.text(NAME)?;
    let Some((scheme, rest)) = text.split_once(':') else {
        reader.problem(NAME, "is not a URL; write one like postgres://user:password@host:5432/database");
        return None;
    };
    // SQLAlchemy names a driver as well: `postgresql+psycopg2://`.
    let (kind, scheme) = match scheme.split('+').next().unwrap_or_default() {
        "postgres" | "postgresql" => (DatabaseKind::Postgres, "postgres"),
        "mysql" | "mariadb" => (DatabaseKind::MySql, "mysql"),
        "sqlite" => (DatabaseKind::Sqlite, "sqlite"),
        _ => {
            reader.problem(NAME, "has an unknown scheme; begin it with postgres://, mysql:// or sqlite://");
            return None;
        }
    };
    if kind.is_server() && !Url::parse(&text).is_ok_and(|url| url.has_host() && url.path().len() > 1) {
        reader.problem(NAME, format_args!("has no host or no database name, or its password is not percent-encoded; write {scheme}://user:password@host/database"));
        return None;
    }
    Some((kind, Secret::new(format!("{scheme}:{rest}"))))
}

fn from_parts(reader: &mut Reader<'_>) -> Option<(DatabaseKind, Secret)> {
    let db_type = reader.text("DB_TYPE");
    let (kind, base, user, port) = match db_type.as_deref().unwrap_or("postgresql") {
        "postgresql" | "postgres" => (DatabaseKind::Postgres, "postgres://", "postgres", 5432),
        "mysql" | "mariadb" => (DatabaseKind::MySql, "mysql://", "root", 3306),
        other => {
            reader.problem("DB_TYPE", format_args!("is `{other}`; set it to postgresql or mysql"));
            return None;
        }
    };
    let host = reader.text("DB_HOST").unwrap_or_else(|| "localhost".to_owned());
    let port = reader.number("DB_PORT", port, 1..=65_535);
    let user = reader.text("DB_USERNAME").unwrap_or_else(|| user.to_owned());
    let database = reader.text("DB_DATABASE").unwrap_or_else(|| "dify".to_owned());
    let host = if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host };
    let Ok(mut url) = Url::parse(&format!("{base}{host}:{port}/")) else {
        reader.problem("DB_HOST", format_args!("is `{host}`; set it to a host name or an IP address"));
        return None;
    };
    // These three percent-encode what they are given; they fail only for URLs without a host.
    let _ = url.set_username(&user);
    if let Some(password) = reader.secret("DB_PASSWORD") {
        let _ = url.set_password(Some(password.expose()));
    }
    url.set_path(&database);
    Some((kind, Secret::new(url.as_str())))
}
