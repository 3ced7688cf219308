//! The stores of a server under test.

use sea_orm::{ConnectionTrait as _, Database};

#[derive(Clone)]
pub enum Stores {
    /// A SQLite file, and state in the process.
    Sqlite,
    /// A database and a Redis key prefix on the servers of `tests/run`.
    Servers {
        /// `postgres://…/name` or `mysql://…/name`.
        database: String,
        /// `redis://…`.
        redis: String,
        prefix: String,
    },
}

impl Stores {
    /// A new PostgreSQL database, and Redis; `None` with a message without servers (`tests/run --quick`).
    pub async fn servers() -> Option<Self> {
        Self::create("TEST_POSTGRES_URL", "").await
    }

    /// A copy of another PostgreSQL database, and Redis.
    pub async fn servers_from(template: &str) -> Option<Self> {
        Self::create("TEST_POSTGRES_URL", &format!(" TEMPLATE {template}")).await
    }

    /// A new MariaDB database, and Redis.
    pub async fn mariadb() -> Option<Self> {
        Self::create("TEST_MYSQL_URL", "").await
    }

    async fn create(server: &str, options: &str) -> Option<Self> {
        let (Ok(admin), Ok(redis)) = (std::env::var(server), std::env::var("TEST_REDIS_URL")) else {
            eprintln!("no {server} and TEST_REDIS_URL: tests/run without --quick sets it");
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
