//! The pages for people: signing in, deciding about a device, looking after one's sessions.
//!
//! Rendered on the server, whole without scripts, behind the same pipeline and the same use cases as the two doors. Not an
//! API: nothing here is meant for programs, which have `/openapi/v1` and `/console/api`.

mod approval;
mod assets;
mod enter_code;
mod failed;
pub(crate) mod form;
mod handle;
mod language;
mod look;
mod moment;
mod notice;
mod presession;
mod refusal;
mod return_target;
mod revocation;
mod routes;
mod sessions;
mod sign_in;
mod visit;

use std::sync::Arc;

use axum::{
    Router,
    extract::Request,
    routing::{MethodRouter, any},
};
use http::Method;

pub(crate) use self::notice::login_command;
use self::{look::Look, return_target::is_page, sign_in::SignInAt};
use crate::{
    domain::{Result, key::KeyRing},
    http::{fallback, grpc_door},
    pipeline::{Pipeline, policy::Policy},
    ports::{clock::Clock, entropy::Entropy},
    rpc::Rpc,
};

/// What the deployment decides about the pages.
#[derive(Clone, Debug)]
pub struct PageSettings {
    /// Whether people sign in and out here; beside Dify they do so in its console.
    pub standalone: bool,
    /// This service's own URL, without a slash at the end.
    pub issuer: String,
    /// Beside Dify: its console's sign-in page, such as `https://console.example.com/signin`.
    pub console_sign_in_url: Option<String>,
}

/// What the pages stand on.
pub struct Pages {
    /// The use cases.
    pub rpc: Rpc,
    /// Who may come in.
    pub pipeline: Pipeline,
    /// Seals codes into the handles of URLs.
    pub keys: Arc<KeyRing>,
    /// For pre-session tokens.
    pub entropy: Arc<dyn Entropy>,
    /// For saying how long a refusal lasts.
    pub clock: Arc<dyn Clock>,
    /// The deployment.
    pub settings: PageSettings,
}

/// The pages, ready to be visited.
pub(crate) struct Site {
    rpc: Rpc,
    pipeline: Pipeline,
    keys: Arc<KeyRing>,
    entropy: Arc<dyn Entropy>,
    clock: Arc<dyn Clock>,
    standalone: bool,
    sign_in_at: SignInAt,
    look: Look,
    /// What a device runs to sign in here.
    login_command: String,
}

/// What the pages answer.
pub struct Routes {
    /// Every page that exists in this deployment.
    pub router: Router,
    /// What no route of any door matches: a page where people look, the doors' own words elsewhere.
    pub missing: MethodRouter,
}

/// Every page's policy, for tables that must be complete.
pub fn policies() -> impl Iterator<Item = &'static Policy> {
    routes::PAGES.iter().map(|page| &page.policy)
}

/// The routes of the pages that exist in this deployment. Fails only when a template or a text is broken.
pub fn routes(pages: Pages) -> Result<Routes> {
    let Pages { rpc, pipeline, keys, entropy, clock, settings } = pages;
    let site = Arc::new(Site {
        rpc,
        pipeline,
        keys,
        entropy,
        clock,
        standalone: settings.standalone,
        sign_in_at: SignInAt::new(&settings),
        look: Look::new()?,
        login_command: login_command(&settings.issuer),
    });
    let mut router = Router::new();
    for page in routes::PAGES {
        let Some(http) = &page.policy.http else { continue };
        if site.pipeline.has(&page.policy) {
            router = router.route(http.path, visit::mount(&site, page));
        }
    }
    Ok(Routes { router, missing: missing(site) })
}

/// People mistype addresses and cut them short, so they get a page; programs get what they can read.
fn missing(site: Arc<Site>) -> MethodRouter {
    any(move |request: Request| {
        let site = Arc::clone(&site);
        async move {
            let seen = request.method().is_safe() && is_page(request.uri().path());
            if seen && !grpc_door::speaks_grpc(request.headers()) {
                visit::serve(site, &routes::MISSING, request).await
            } else {
                fallback::not_found(request).await
            }
        }
    })
}

/// Whether a verb carries a form here.
fn carries_form(method: &Method) -> bool {
    *method == Method::POST
}
