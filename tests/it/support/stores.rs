//! Where a server under test keeps things.

use sea_orm::{ConnectionTrait as _, Database};

/// Where a server keeps things.
#[derive(Clone)]
pub enum Stores {
    /// A file of its own, and in-process state.
    Sqlite,
    /// A database and a key prefix of its own on the servers that `tests/run` starts.
    Servers {
        /// `postgres://…/name` or `mysql://…/name`.
        database: String,
        /// `redis://…`.
        redis: String,
        /// Keys of this test.
        prefix: String,
    },
}

impl Stores {
    /// A fresh PostgreSQL database, and Redis; `None`, said aloud, when there are none (`tests/run --quick`).
    pub async fn servers() -> Option<Self> {
        Self::create("TEST_POSTGRES_URL", "").await
    }

    /// The same with a copy of another database of that PostgreSQL.
    pub async fn servers_from(template: &str) -> Option<Self> {
        Self::create("TEST_POSTGRES_URL", &format!(" TEMPLATE {template}")).await
    }

    /// A fresh MariaDB database, and Redis.
    pub async fn mariadb() -> Option<Self> {
        Self::create("TEST_MYSQL_URL", "").await
    }

    async fn create(server: &str, options: &str) -> Option<Self> {
        let (Ok(admin), Ok(redis)) = (std::env::var(server), std::env::var("TEST_REDIS_URL")) else {
            eprintln!("no {server} and TEST_REDIS_URL: run by tests/run without --quick");
            return None;
        };
        let name = format!("it_{}", uuid::Uuid::new_v4().simple());
        let connection = Database::connect(&admin).await.unwrap();
        connection.execute_unprepared(&format!("CREATE DATABASE {name}{options}")).await.unwrap();
        connection.close().await.unwrap();
        let (base, _) = admin.rsplit_once('/').unwrap();
        Some(Self::Servers { database: format!("{base}/{name}"), redis, prefix: name })
    }
}
