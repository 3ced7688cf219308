//! The pages in which people sign in, decide about a device and manage their sessions.
//!
//! The server renders them; they work without scripts. They use the same pipeline and the same services as the two
//! doors. They are not an API: programs use `/openapi/v1` and `/console/api`.

mod agent_name;
mod api_reference;
mod assets;
mod context;
mod display_time;
mod error_page;
mod error_redirect;
pub(crate) mod form;
mod form_error;
mod handlers;
mod language;
mod location;
mod message_page;
mod navigation;
mod notice;
mod notice_redirect;
mod presession_token;
mod renderer;
mod return_target;
mod route_table;
mod serve;
mod sign_in_provider;
mod site;
mod texts;

use std::sync::Arc;

use axum::{
    Router,
    extract::Request,
    middleware::from_fn_with_state,
    routing::{MethodRouter, any},
};

pub use self::site::{PageDependencies, PageSettings};
use self::{return_target::is_page, site::Site};
use crate::{
    domain::Result,
    http::{fallback, grpc_door},
    pipeline::policy::Policy,
};

/// The routes of the pages, ready to be merged with those of the doors.
pub struct PageRoutes {
    /// The pages that exist in this deployment.
    pub router: Router,
    /// Requests that no route of any door matches: a page below the pages' own paths, else the error of the door.
    pub not_found: MethodRouter,
    site: Arc<Site>,
}

impl PageRoutes {
    /// Shows errors of these API routes, which browsers navigate to, as pages.
    pub fn with_error_pages(&self, router: Router) -> Router {
        router.layer(from_fn_with_state(Arc::clone(&self.site), navigation::show_errors))
    }
}

/// The policies of all pages, also of those that this deployment leaves out.
pub fn policies() -> impl Iterator<Item = &'static Policy> {
    route_table::ROUTES.iter().chain([&route_table::API_REFERENCE]).map(|route| &route.policy)
}

/// The routes of the pages that exist in this deployment. Fails only when a template or a text file is invalid.
pub fn routes(dependencies: PageDependencies) -> Result<PageRoutes> {
    let site = Arc::new(Site::new(dependencies)?);
    let mut router = Router::new();
    let reference = site.api_reference.then_some(&route_table::API_REFERENCE);
    for route in route_table::ROUTES.iter().chain(reference) {
        let Some(http) = &route.policy.http else { continue };
        if site.pipeline.has(&route.policy) {
            router = router.route(http.path, serve::method_router(&site, route));
        }
    }
    Ok(PageRoutes { router, not_found: not_found(Arc::clone(&site)), site })
}

/// People mistype and truncate addresses, so they get a page; programs get an error that they can parse.
fn not_found(site: Arc<Site>) -> MethodRouter {
    any(move |request: Request| {
        let site = Arc::clone(&site);
        async move {
            let for_people = request.method().is_safe() && is_page(request.uri().path());
            if for_people && !grpc_door::speaks_grpc(request.headers()) {
                serve::serve(site, &route_table::NOT_FOUND, request).await
            } else {
                fallback::not_found(request).await
            }
        }
    })
}
