//! Continues a browser session whose access cookie has expired. Refreshing changes the session, so it takes a submitted
//! form; a script submits it at once.

use axum::response::Response;
use http::StatusCode;
use serde::Serialize;

use crate::{
    domain::{Code, Result},
    http::{
        answer::set_cookies,
        pages::{
            context::PageContext, location::see_other, notice_redirect::see_other_with_notice, renderer::PageTemplate,
        },
    },
    rpc::reply::REFRESH_TOKEN,
};

/// Notice after a session that cannot be continued.
pub(super) const ENDED: &str = "ended";

/// The values of the page.
#[derive(Serialize)]
pub(crate) struct ContinuePage {
    /// The address of the form. It contains the return target.
    pub action: String,
    /// The path to show afterwards.
    pub return_to: String,
    /// The address of the sign-in form for another account.
    pub another: String,
}

/// Offers to continue the session.
pub(super) fn show(context: &PageContext, another: String) -> Result<Response> {
    let target = context.return_target();
    let page = ContinuePage { action: target.append_to("/signin/refresh"), return_to: target.path(), another };
    context.render(StatusCode::OK, PageTemplate::Continue, &page)
}

/// Refreshes the session and redirects to the return target. The pipeline has checked the origin of the form.
pub(crate) async fn submit(context: &PageContext) -> Result<Response> {
    let target = context.return_target();
    let token = context.cookie(REFRESH_TOKEN).filter(|_| context.find_caller().is_none());
    let Some(token) = token else { return Ok(see_other(&target.path())) };
    match context.site.services.console.refresh(token, &context.request_origin()?).await {
        Ok(issued) => {
            let mut response = see_other(&target.path());
            // Without new tokens another tab has refreshed the session; the browser has the tokens of that response.
            if let Some(issued) = issued {
                set_cookies(&mut response, &context.site.services.cookies.issued(&issued));
            }
            Ok(response)
        }
        Err(error) if error.code() == Code::InvalidSession => {
            let mut response = see_other_with_notice(context, &target.append_to("/signin"), ENDED, None)?;
            set_cookies(&mut response, &context.site.services.cookies.cleared());
            Ok(response)
        }
        Err(error) => Err(error),
    }
}
