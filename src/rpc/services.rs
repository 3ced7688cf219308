//! The services behind the RPCs.

use std::sync::Arc;

use super::{about::About, catalog::Catalog, reply::CookieSettings};
use crate::{
    memory::MemoryLedger,
    service::{
        app::Apps, app_export::AppExports, app_import::AppImports, bearer::Bearers, connections::Connections,
        console::Console, console_apps::ConsoleApps, device_flow::DeviceFlow, file::Files, identity::Identity,
        license::Licenses, member::Members, run::Runs, session::Sessions, setup::Setup, single_sign_on::SingleSignOn,
        tags::Tags,
    },
};

/// The services that the RPCs and the pages call.
pub struct Services {
    pub device_flow: DeviceFlow,
    pub sessions: Sessions,
    pub identity: Identity,
    pub members: Members,
    pub apps: Apps,
    pub app_exports: AppExports,
    pub app_imports: AppImports,
    pub runs: Runs,
    pub files: Files,
    pub bearers: Bearers,
    pub console: Console,
    pub console_apps: ConsoleApps,
    pub setup: Setup,
    pub tags: Tags,
    pub connections: Connections,
    pub licenses: Licenses,
    pub single_sign_on: SingleSignOn,
    pub cookies: CookieSettings,
    pub about: About,
    pub catalog: Catalog,
    /// Memory is reserved here before a message is read and parsed.
    pub memory: MemoryLedger,
}

/// Implements every service of the protos, for both doors.
#[derive(Clone)]
pub struct Rpc {
    pub(super) services: Arc<Services>,
}

impl Rpc {
    pub fn new(services: Arc<Services>) -> Self {
        Self { services }
    }

    /// Memory is reserved here before a message is read and parsed.
    pub fn memory(&self) -> &MemoryLedger {
        &self.services.memory
    }
}
