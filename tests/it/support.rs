//! The harness: whole servers over real sockets, a clock that moves, and one client type a credential.

pub mod axe;
pub mod browser;
pub mod chromium;
pub mod cli_device;
pub mod clock;
pub mod grpc;
pub mod logs;
pub mod process;
pub mod server;
pub mod visitor;
pub mod window;

pub use browser::Browser;
pub use chromium::Chromium;
pub use cli_device::{Bearer, Device};
pub use server::{Stores, TestServer};
pub use visitor::Visitor;

/// Runs a test body on SQLite with in-process state and, where the servers are there, on PostgreSQL with Redis.
#[macro_export]
macro_rules! on_both_stores {
    ($($(#[$meta:meta])* async fn $name:ident($server:ident: TestServer) $body:block)*) => {$(
        mod $name {
            use super::*;

            async fn test($server: TestServer) $body

            #[tokio::test(flavor = "multi_thread")]
            $(#[$meta])*
            async fn on_sqlite() {
                test(TestServer::start(Stores::Sqlite).await).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            $(#[$meta])*
            async fn on_postgres_and_redis() {
                if let Some(stores) = Stores::servers().await {
                    test(TestServer::start(stores).await).await;
                }
            }
        }
    )*};
}
