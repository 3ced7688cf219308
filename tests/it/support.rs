//! The harness: whole servers over real sockets, a clock that moves, and one client type a credential.

pub mod answer;
pub mod axe;
pub mod browser;
pub mod chromium;
pub mod cli_device;
pub mod clock;
pub mod database;
pub mod grpc;
pub mod logs;
pub mod process;
pub mod python;
pub mod redis_process;
pub mod server;
pub mod visitor;
pub mod window;

pub use answer::{Answer, redact};
pub use browser::Browser;
pub use chromium::Chromium;
pub use cli_device::{Bearer, Device};
pub use server::{Stores, TestServer};
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

/// Compares JSON with the snapshot beside it. The same test runs on both stores, so each snapshot is seen twice.
macro_rules! assert_wire {
    ($value:expr, @$snapshot:literal) => {{
        let value = $value;
        insta::allow_duplicates! { insta::assert_json_snapshot!(value, @$snapshot) }
    }};
}
