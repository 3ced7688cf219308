//! The harness: whole servers over real sockets, a clock that moves, and one client type a credential.

pub mod answer;
pub mod apps;
pub mod axe;
pub mod browser;
pub mod chromium;
pub mod cli_device;
pub mod clock;
pub mod database;
pub mod demo_user;
pub mod dev;
pub mod dify;
pub mod grpc;
pub mod logs;
pub mod operator;
pub mod postgres_process;
pub mod process;
pub mod python;
pub mod redis_process;
pub mod runs;
pub mod server;
pub mod stand_in;
pub mod stores;
pub mod visitor;
pub mod window;
pub mod wire;

pub use answer::{Answer, redact};
pub use browser::Browser;
pub use chromium::Chromium;
pub use cli_device::{Bearer, Device};
pub use dify::Dify;
pub use server::TestServer;
pub use stores::Stores;
pub use visitor::Visitor;

/// Runs a test body on SQLite with in-process state and, where the servers are there, on PostgreSQL with Redis.
/// `with ["NAME" = "value"]` after the argument sets variables.
macro_rules! on_both_stores {
    ($(
        $(#[$meta:meta])*
        async fn $name:ident($server:ident: TestServer) $(with [$($variable:literal = $value:expr),* $(,)?])? $body:block
    )*) => {$(
        mod $name {
            use super::*;

            const VARIABLES: &[(&str, &str)] = &[$($(($variable, $value)),*)?];

            async fn test($server: TestServer) $body

            #[tokio::test(flavor = "multi_thread")]
            $(#[$meta])*
            async fn on_sqlite() {
                test(TestServer::start_with($crate::support::Stores::Sqlite, VARIABLES).await).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            $(#[$meta])*
            async fn on_postgres_and_redis() {
                if let Some(stores) = $crate::support::Stores::servers().await {
                    test(TestServer::start_with(stores, VARIABLES).await).await;
                }
            }
        }
    )*};
}

/// The same on MariaDB with Redis as well: for what leans on transactions and constraints, since a database there takes
/// its time to be made.
macro_rules! on_every_database {
    ($(
        $(#[$meta:meta])*
        async fn $name:ident($server:ident: TestServer) $(with [$($variable:literal = $value:expr),* $(,)?])? $body:block
    )*) => {
        on_both_stores! {$(
            $(#[$meta])*
            async fn $name($server: TestServer) $(with [$($variable = $value),*])? $body
        )*}

        mod on_mariadb_and_redis {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread")]
                $(#[$meta])*
                async fn $name() {
                    let Some(stores) = $crate::support::Stores::mariadb().await else { return };
                    let $server = TestServer::start_with(stores, &[$($(($variable, $value)),*)?]).await;
                    $body
                }
            )*
        }
    };
}

/// Compares JSON with the snapshot beside it, whatever the order of its members. The same test runs on several stores, so
/// each snapshot is seen more than once.
macro_rules! assert_lines {
    ($lines:expr, @$snapshot:literal) => {{
        let lines = $lines;
        insta::allow_duplicates! { insta::assert_snapshot!(lines, @$snapshot) }
    }};
}

/// The same for JSON.
macro_rules! assert_wire {
    ($value:expr, @$snapshot:literal) => {{
        let value = $value;
        insta::with_settings!({sort_maps => true}, {
            insta::allow_duplicates! { insta::assert_json_snapshot!(value, @$snapshot) }
        })
    }};
}
