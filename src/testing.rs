//! The items of this crate that integration tests, benches and fuzz targets use. Everything else is private.
//!
//! This is not a stable API: it has one module per part of the crate, and changes with the tests.

/// Starts whole servers, or the application without listeners.
pub mod app {
    pub use crate::app::{
        Application, Dependencies, ListenerKind, RunningServer, ShutdownDeadlines, connect_sql, connect_state, start,
    };
}

/// Reads the configuration from variables.
pub mod config {
    pub use crate::config::{
        Config,
        settings::{SETTINGS, Setting},
        telemetry::LogFormat,
    };
}

/// Ids, secrets, apps and error codes.
pub mod domain {
    pub use crate::domain::{
        Code,
        account::{AccountStatus, EndedSessions},
        app::{
            App, AppMode, Definition, ModelConfig,
            file::{AppBody, AppFile, ImportTarget},
        },
        branding::Branding,
        caller::ClientAddress,
        client_commands::ClientCommands,
        device_handle::DeviceHandle,
        file::{name::FileName, uploaded::FileOwner},
        grant::ClaimOutcome,
        human_form::FormToken,
        key::KeyRing,
        limit::LimitName,
        secret::{BearerToken, Secret, sha256_hex},
        subject::SubjectType,
        user_code::{ALPHABET, UserCode},
        workspace::WorkspaceRole,
    };
    // One macro defines all ids with the same visibility.
    pub use crate::domain::id::*;
}

/// Reads and writes DSL files; `demo` has the files of the demo apps.
pub mod dsl {
    pub use crate::dsl::{demo, read, write};
}

/// Serves routers, and parses requests over JSON and forms.
pub mod http {
    pub use crate::http::{
        client_address::TrustedProxies,
        codec::{bind::BindMembers, body},
        listen::{ListenOptions, serve},
        routes::{internal_openapi, openapi, routes},
    };

    /// The pages for browsers.
    pub mod pages {
        pub use crate::http::pages::{PageDependencies, PageSettings, form::Form, policies, routes};
    }
}

/// The memory ledger.
pub mod memory {
    pub use crate::memory::{MemoryKind, MemoryLedger};
}

/// The policy table, and the parsers of credentials.
pub mod pipeline {
    pub use crate::pipeline::{
        Pipeline, PipelineSettings, authenticate, browser, cookie,
        policy::{Credential, ErrorShape, HttpRoute, POLICIES, Policy, Presence},
    };
}

/// The ports that tests implement or use directly.
pub mod ports {
    pub use crate::ports::{
        clock::{Clock, SystemClock},
        entropy::SystemEntropy,
        file_uploads::{FileUploads, NewFile, PendingUpload},
        nonce_store::NonceKind,
        runtime::{AppRuntime, FollowOptions, FormSubmission, RunOfUser, RunRequest, RunStream},
        state_stores::StateStores,
    };
}

/// The messages and gRPC clients; `DOMAIN` is the domain of `ErrorInfo`.
pub mod rpc {
    pub use crate::rpc::{json::Object, proto, status::DOMAIN};
}

/// Forwards runs to Dify, and renders templates.
pub mod runtime {
    pub use crate::runtime::{
        builtin::template::render_template,
        dify::{
            DifyRuntime, DifySettings,
            sse::{SseFrame, SseParser},
        },
    };
}

/// Builds HTTP clients.
pub mod http_client {
    pub use crate::http_client::HttpClients;
}

/// Hashes passwords, and checks the JWTs of the console and the signed values of single sign-on.
pub mod service {
    use std::sync::Arc;

    use chrono::{DateTime, Utc};

    use crate::{
        domain::key::KeyRing,
        service::single_sign_on::{claims::GrantClaims, signed_value::SignedValues},
    };

    pub use crate::service::{
        console::passport::{PASSPORT, Passports},
        password::Passwords,
    };

    /// The email address in an approval grant that these keys have signed.
    pub fn email_of_grant(keys: KeyRing, value: &str, now: DateTime<Utc>) -> Option<String> {
        SignedValues::new(Arc::new(keys)).verify::<GrantClaims>(value, now).ok().map(|found| found.claims.subject_email)
    }
}

/// The SQL store, and the state store in the process.
pub mod store {
    pub use crate::store::{
        sql::{SqlOptions, SqlStore},
        state::bounded_in_process_stores,
    };
}

/// Logs and metrics.
pub mod telemetry {
    pub use crate::telemetry::{Output, Telemetry, line::LineLayer, sink::Sink};
}
