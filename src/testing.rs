//! What integration tests, benches and fuzz targets use of this crate. Everything else is private.
//!
//! Not a stable API: the modules mirror the crate's own and grow and shrink with the tests.

/// The composition root.
pub mod app {
    pub use crate::app::{Application, Dependencies, ListenerKind, RunningServer, connect_sql, connect_state, start};
}

/// The configuration as the process reads it.
pub mod config {
    pub use crate::config::{Config, telemetry};
}

/// Types that requests, stores and runtimes are called with.
pub mod domain {
    pub use crate::domain::{
        Code, account::AccountStatus, app, caller, grant, id, key, scope::Scope, secret, subject, user_code,
        workspace::WorkspaceRole,
    };
}

/// DSL files, in and out.
pub mod dsl {
    pub use crate::dsl::{demo, read, write};
}

/// The JSON door: listeners, codec, forms.
pub mod http {
    pub use crate::http::{client_address, routes};

    /// Reading of bodies and members.
    pub mod codec {
        pub use crate::http::codec::{bind, body};
    }

    /// The listener.
    pub mod listen {
        pub use crate::http::listen::{ListenOptions, serve};
    }

    /// The pages.
    pub mod pages {
        pub use crate::http::pages::{PageSettings, Pages, form, policies, routes};
    }
}

/// The policy table and what reads credentials.
pub mod pipeline {
    pub use crate::pipeline::{Pipeline, PipelineSettings, authenticate, browser, cookie, policy};
}

/// The ports whose implementations tests replace.
pub mod ports {
    pub use crate::ports::{clock, entropy, runtime, state};
}

/// The generated messages and clients.
pub mod rpc {
    pub use crate::rpc::proto;

    /// `google.protobuf.Struct`.
    pub mod json {
        pub use crate::rpc::json::Object;
    }

    /// Errors over gRPC.
    pub mod status {
        pub use crate::rpc::status::DOMAIN;
    }
}

/// The forwarding runtime and its parser.
pub mod runtime {
    /// The HTTP client that the benches use, too.
    pub mod http_client {
        pub use crate::runtime::http_client::client_builder;
    }

    /// Runs forwarded to Dify.
    pub mod dify {
        pub use crate::runtime::dify::{DifyRuntime, DifySettings, frames};
    }
}

/// Passwords and console passports.
pub mod service {
    pub use crate::service::password;

    /// Console passports.
    pub mod console {
        pub use crate::service::console::passport;
    }
}

/// Both stores.
pub mod store {
    /// The SQL store.
    pub mod sql {
        pub use crate::store::sql::{SqlOptions, SqlStore};
    }

    /// Short-lived state.
    pub mod state {
        /// In the process.
        pub mod memory {
            pub use crate::store::state::memory::Memory;
        }
    }
}

/// Logs and metrics.
pub mod telemetry {
    pub use crate::telemetry::{Output, Telemetry, line, sink};
}
