//! The composition root: the only place that connects implementations to each other. `serve`, `dev` and the tests run
//! the same code.

mod admin_listener;
mod application;
mod bind;
mod components;
mod dependencies;
mod enterprise;
mod files;
mod operator;
mod runtime;
mod server;
mod settings;
mod shutdown_deadlines;
mod stores;
mod tls_reload;

pub(crate) use self::operator::{connections, token_issuer};
pub use self::{
    application::{Application, ListenerKind},
    dependencies::Dependencies,
    server::{RunningServer, start},
    shutdown_deadlines::ShutdownDeadlines,
    stores::{connect_sql, connect_state},
};
