//! What all pages of a deployment share.

use std::sync::Arc;

use super::{notice::Notice, renderer::Renderer, sign_in_provider::SignInProvider};
use crate::{
    domain::{
        Result, branding::Branding, client_commands::ClientCommands, device_handle::DeviceHandle, key::KeyRing,
        user_code::UserCode,
    },
    pipeline::Pipeline,
    ports::{clock::Clock, entropy::Entropy},
    rpc::Services,
};

/// The settings of the pages.
#[expect(clippy::struct_excessive_bools, reason = "independent switches of a deployment")]
#[derive(Clone, Debug)]
pub struct PageSettings {
    /// Whether this is the Enterprise edition.
    pub enterprise: bool,
    /// Whether this service has its own sign-in page; beside Dify people sign in and out in its console.
    pub standalone: bool,
    /// Whether this service serves connections.
    pub connections: bool,
    /// This service's own URL, without a slash at the end.
    pub issuer: String,
    /// The URL of the API, if it is on another host than the pages.
    pub api_url: Option<String>,
    /// Beside Dify: its console's sign-in page, such as `https://console.example.com/signin`.
    pub console_sign_in_url: Option<String>,
    /// Whether a link may fill in the code (`DEVICE_FLOW_VERIFICATION_URI_COMPLETE`).
    pub prefill_links: bool,
    /// The commands with which devices sign in to this server.
    pub client_commands: Arc<ClientCommands>,
    /// Whether the API reference is served.
    pub api_reference: bool,
    /// The organization's name, logo, colours and links.
    pub branding: Arc<Branding>,
}

/// The services and settings that the pages are built from.
pub struct PageDependencies {
    pub services: Arc<Services>,
    pub pipeline: Pipeline,
    /// Seals user codes into the handles of device pages.
    pub keys: Arc<KeyRing>,
    /// Source of pre-session tokens and of the cookie of notices.
    pub entropy: Arc<dyn Entropy>,
    /// Dates the end of rate limits and locks.
    pub clock: Arc<dyn Clock>,
    pub settings: PageSettings,
}

/// The shared state of all pages.
#[expect(clippy::struct_excessive_bools, reason = "independent switches of a deployment")]
pub(super) struct Site {
    pub services: Arc<Services>,
    pub pipeline: Pipeline,
    pub entropy: Arc<dyn Entropy>,
    pub clock: Arc<dyn Clock>,
    /// Whether this is the Enterprise edition.
    pub enterprise: bool,
    /// Whether this service has its own sign-in page.
    pub standalone: bool,
    /// Whether the pages of connections are served.
    pub connections: bool,
    /// This service's own URL, without a slash at the end.
    pub issuer: String,
    /// Whether a link may fill in the code.
    pub prefill_links: bool,
    /// Whether the API reference is served.
    pub api_reference: bool,
    pub sign_in_provider: SignInProvider,
    pub renderer: Renderer,
    /// The commands with which devices sign in to this server.
    pub client_commands: Arc<ClientCommands>,
    /// The URL of the API, if it is on another host than the pages.
    api_url: Option<String>,
    keys: Arc<KeyRing>,
}

impl Site {
    /// Fails only when a template or a text file is invalid.
    pub(super) fn new(dependencies: PageDependencies) -> Result<Self> {
        let PageDependencies { services, pipeline, keys, entropy, clock, settings } = dependencies;
        let PageSettings {
            enterprise,
            standalone,
            connections,
            issuer,
            api_url,
            console_sign_in_url,
            prefill_links,
            client_commands,
            api_reference,
            branding,
        } = settings;
        Ok(Self {
            services,
            pipeline,
            entropy,
            clock,
            enterprise,
            standalone,
            connections,
            sign_in_provider: SignInProvider::new(standalone, &issuer, console_sign_in_url.as_deref()),
            renderer: Renderer::new(&branding)?,
            client_commands,
            issuer,
            api_url,
            prefill_links,
            api_reference,
            keys,
        })
    }

    /// The path of a device's page, for a code that was looked up. It holds the user code only in sealed form, as a
    /// handle, so that no history, log or referrer contains the code.
    pub(super) fn device_path(&self, code: &UserCode, client_id: &str) -> Result<String> {
        Ok(format!("/device/{}", self.keys.seal_handle(&DeviceHandle::new(code.clone(), client_id))?))
    }

    /// The address of a path of the API.
    pub(super) fn api_url(&self, path: &str) -> String {
        format!("{}{path}", self.api_url.as_deref().unwrap_or_default())
    }

    /// The URL of the pages, if they are on another host than the API; else empty.
    pub(super) fn pages_url(&self) -> &str {
        if self.api_url.is_some() { &self.issuer } else { "" }
    }

    /// The user code and the client in a handle; `None` when the handle was not made with this server's keys.
    pub(super) fn open_handle(&self, handle: &str) -> Option<DeviceHandle> {
        self.keys.open_handle(handle)
    }

    /// Seals a code that the form is filled in with.
    pub(super) fn seal_prefill(&self, code: &UserCode) -> Result<String> {
        self.keys.seal_prefill(code)
    }

    /// Opens a code that the form is filled in with.
    pub(super) fn open_prefill(&self, sealed: &str) -> Option<UserCode> {
        self.keys.open_prefill(sealed)
    }

    /// The query parameter of a notice for the browser with this cookie.
    pub(super) fn notice_parameter(&self, notice: &Notice, cookie: &str) -> String {
        notice.parameter(cookie, &self.keys)
    }

    /// Reads the query parameter of a notice for the browser with this cookie.
    pub(super) fn read_notice(&self, parameter: &str, cookie: &str) -> Option<Notice> {
        Notice::read(parameter, cookie, &self.keys)
    }
}
