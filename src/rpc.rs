//! Converts between protos and the domain: one implementation of every service, called by both doors.

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

    /// The encoded file descriptors, for reflection.
    pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
}

/// Facts about this server that responses contain.
#[derive(Clone, Debug)]
pub struct About {
    /// The Dify version that the API is compatible with.
    pub version: String,
    /// `SELF_HOSTED` or `ENTERPRISE`.
    pub edition: &'static str,
    /// The issuer URL of this service, without a trailing slash.
    pub issuer: String,
    /// Whether responses contain `verification_uri_complete`.
    pub verification_uri_complete: bool,
}

pub struct UseCases {
    pub device_flow: DeviceFlow,
    pub sessions: Sessions,
    pub identity: Identity,
    pub apps: Apps,
    pub runs: Runs,
    pub bearers: Bearers,
    pub console: Console,
    pub cookies: reply::CookieSettings,
    pub about: About,
}

/// The services of both doors.
#[derive(Clone)]
pub struct Rpc(pub Arc<UseCases>);

impl std::ops::Deref for Rpc {
    type Target = UseCases;

    fn deref(&self) -> &UseCases {
        &self.0
    }
}
