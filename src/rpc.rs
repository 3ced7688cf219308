//! Protos to domain and back, and nothing else: one implementation of every service, called by both doors.

pub(crate) mod app;
pub(crate) mod console;
pub(crate) mod convert;
pub(crate) mod device_flow;
pub(crate) mod identity;
pub(crate) mod json;
pub(crate) mod meta;
pub(crate) mod reply;
pub(crate) mod request;
pub(crate) mod session;
pub(crate) mod status;
pub(crate) mod timestamp;
pub(crate) mod token;
pub(crate) mod workspace;

use std::sync::Arc;

use crate::service::{
    app::Apps, bearer::Bearers, console::Console, device_flow::DeviceFlow, identity::Identity, run::Runs,
    session::Sessions,
};

/// The generated messages and services.
#[allow(clippy::all, clippy::pedantic, dead_code, unreachable_pub, reason = "generated")]
pub mod proto {
    tonic::include_proto!("dify.openapi.v1");

    /// The protos themselves, for reflection.
    pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
}

/// Facts about this server that answers mention.
#[derive(Clone, Debug)]
pub struct About {
    /// The Dify version whose API this is.
    pub version: String,
    /// `SELF_HOSTED` or `ENTERPRISE`.
    pub edition: &'static str,
    /// This service's issuer URL, without a slash at the end.
    pub issuer: String,
    /// Whether `verification_uri_complete` is given.
    pub verification_uri_complete: bool,
}

/// The use cases behind the services.
pub struct UseCases {
    /// The grant.
    pub device_flow: DeviceFlow,
    /// Sessions.
    pub sessions: Sessions,
    /// Accounts and workspaces.
    pub identity: Identity,
    /// Apps.
    pub apps: Apps,
    /// Runs of apps.
    pub runs: Runs,
    /// Token resolution.
    pub bearers: Bearers,
    /// Browser sessions.
    pub console: Console,
    /// How browser cookies are written.
    pub cookies: reply::CookieSettings,
    /// Facts.
    pub about: About,
}

/// The services, over both doors.
#[derive(Clone)]
pub struct Rpc(pub Arc<UseCases>);

impl std::ops::Deref for Rpc {
    type Target = UseCases;

    fn deref(&self) -> &UseCases {
        &self.0
    }
}
