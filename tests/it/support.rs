//! The test harness: whole servers over real sockets, a clock that tests move, and one client type per credential.

pub mod answer;
pub mod apps;
pub mod authority;
pub mod axe;
pub mod browser;
pub mod catalog;
pub mod certified_provider;
pub mod chromium;
pub mod cli_device;
pub mod client_tools;
pub mod clock;
pub mod collector;
pub mod command;
pub mod database;
pub mod demo_user;
pub mod dev_server;
pub mod dify;
pub mod enterprise_service;
pub mod exporting_server;
pub mod fake_dify;
pub mod forms;
pub mod grpc;
pub mod logs;
pub mod mariadb_process;
pub mod namespace;
pub mod network;
pub mod openid_provider;
pub mod pgbouncer;
pub mod plugin_daemon;
pub mod postgres_pair;
pub mod postgres_process;
pub mod process;
pub mod prometheus;
pub mod python;
pub mod redis_pair;
pub mod redis_process;
pub mod replica_process;
pub mod runs;
pub mod server;
pub mod server_process;
pub mod stores;
pub mod tcp_proxy;
pub mod team;
pub mod tls_proxy;
pub mod token_provider;
pub mod tour;
pub mod uploads;
pub mod visitor;
pub mod window;

pub use answer::{Answer, redact};
pub use browser::Browser;
pub use chromium::Chromium;
pub use cli_device::{Bearer, Device};
pub use dify::Dify;
pub use openid_provider::OpenIdProvider;
pub use server::TestServer;
pub use stores::Stores;
pub use team::Team;
pub use visitor::Visitor;

/// Defines two tests for each named `async fn name(stores: Stores)`: `name::on_sqlite` with the state in the process,
/// and `name::on_postgres_and_redis`, which is skipped without the servers of `tests/run`.
macro_rules! on_both_stores {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            use $crate::support::Stores;

            #[tokio::test(flavor = "multi_thread")]
            async fn on_sqlite() {
                super::$name(Stores::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn on_postgres_and_redis() {
                if let Some(stores) = Stores::servers().await {
                    super::$name(stores).await;
                }
            }
        }
    )+};
}

/// Defines the tests of `on_both_stores!` and `name::on_mariadb_and_redis`. For behaviour that depends on transactions
/// and constraints, because a MariaDB database takes long to create.
macro_rules! on_every_database {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            use $crate::support::Stores;

            #[tokio::test(flavor = "multi_thread")]
            async fn on_sqlite() {
                super::$name(Stores::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn on_postgres_and_redis() {
                if let Some(stores) = Stores::servers().await {
                    super::$name(stores).await;
                }
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn on_mariadb_and_redis() {
                if let Some(stores) = Stores::mariadb().await {
                    super::$name(stores).await;
                }
            }
        }
    )+};
}

/// Compares text with an inline snapshot, or with the file `snapshots/NAME.snap` beside the test. The same test runs on
/// several stores, so each snapshot is checked more than once.
macro_rules! assert_lines {
    ($lines:expr, $name:literal) => {{
        let lines = $lines;
        insta::with_settings!({prepend_module_to_snapshot => false}, {
            insta::allow_duplicates! { insta::assert_snapshot!($name, lines) }
        })
    }};
    ($lines:expr, @$snapshot:literal) => {{
        let lines = $lines;
        insta::allow_duplicates! { insta::assert_snapshot!(lines, @$snapshot) }
    }};
}

/// Compares JSON with an inline snapshot, whatever the order of its members.
macro_rules! assert_wire {
    ($value:expr, @$snapshot:literal) => {{
        let value = $value;
        insta::with_settings!({sort_maps => true}, {
            insta::allow_duplicates! { insta::assert_json_snapshot!(value, @$snapshot) }
        })
    }};
}
