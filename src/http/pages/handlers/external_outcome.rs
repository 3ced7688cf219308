//! The outcome of a decision of an external identity, which has no browser session: a cookie names the device for five
//! minutes. Without the cookie the page names nothing, so that its address can be shared without harm.

use axum::response::Response;
use http::StatusCode;

use super::outcome::Decider;
use crate::{
    domain::{
        Code, Error, Result,
        caller::GrantCaller,
        cookie::DEVICE_OUTCOME,
        recorded_decision::{Decision, DecisionOutcome},
    },
    http::{
        answer::set_cookie,
        pages::{
            context::PageContext,
            location::see_other,
            message_page::{MessageKind, MessagePage},
            renderer::PageTemplate,
        },
    },
    pipeline::browser::csrf_mismatch,
    rpc::reply::CSRF_TOKEN,
    service::single_sign_on::outcome::ExternalOutcome,
    telemetry::failure,
};

/// The page of an approval.
pub(crate) const APPROVED: &str = "/openapi/v1/oauth/device/done/approved";
const DENIED: &str = "/openapi/v1/oauth/device/done/denied";
/// The target of the form that ends the session.
pub(crate) const END: &str = "/openapi/v1/oauth/device/done/end";

/// Redirects to the page of the outcome, and replaces the cookie of the approval with that of the outcome. The page is
/// on the same host, because a submitted form must not end on another origin.
pub(super) fn see_decided(context: &PageContext, caller: &GrantCaller, decision: &Decision) -> Response {
    let services = &context.site.services;
    let mut response = see_other(match decision.outcome {
        DecisionOutcome::Approved(_) => APPROVED,
        DecisionOutcome::Denied => DENIED,
    });
    set_cookie(&mut response, &services.cookies.cleared_grant());
    match services.single_sign_on.seal_outcome(caller, decision) {
        Ok(sealed) => set_cookie(&mut response, &services.cookies.outcome(&sealed)),
        // The decision holds, and the page names no device.
        Err(error) => failure::log(&error),
    }
    response
}

/// Shows the outcome.
pub(crate) async fn show(context: &PageContext) -> Result<Response> {
    let found = find(context);
    let outcome = found.as_ref().map(|found| found.decision.outcome);
    let message = match (context.path_param("outcome"), &found, outcome) {
        ("approved", Some(found), Some(DecisionOutcome::Approved(_)))
        | ("denied", Some(found), Some(DecisionOutcome::Denied)) => {
            let decider = Decider {
                subject: found.subject.clone(),
                name: found.subject.email(),
                end_path: END.to_owned(),
                csrf_token: found.csrf_token.expose(),
                has_list: false,
            };
            decider.message(context, &found.decision).await?
        }
        ("approved", ..) => MessagePage::approved_by_sso(context.texts()),
        ("denied", ..) => MessagePage::denied_by_sso(context.texts()),
        _ => return Err(Error::not_found("There is no such page.")),
    };
    context.render(StatusCode::OK, PageTemplate::Message, &message)
}

/// Ends the session of the cookie, whose CSRF token the form repeats. A session that has ended already is no error.
pub(crate) async fn end(context: &PageContext) -> Result<Response> {
    let found = find(context).map(|found| (found.decision.outcome, found));
    let Some((DecisionOutcome::Approved(id), found)) = found else {
        let message = MessagePage::new(context.texts(), MessageKind::Final, "outcome_old_title", "outcome_old_text");
        return context.render(StatusCode::UNAUTHORIZED, PageTemplate::Message, &message);
    };
    if !context.form.secret(CSRF_TOKEN).is_some_and(|sent| found.csrf_token.matches(sent.expose())) {
        return Err(csrf_mismatch());
    }
    match context.site.services.sessions.revoke(&found.subject, &id.to_string()).await {
        Err(error) if error.code() != Code::NotFound => Err(error),
        _ => Ok(see_other(APPROVED)),
    }
}

fn find(context: &PageContext) -> Option<ExternalOutcome> {
    context.site.services.single_sign_on.find_outcome(context.host_cookie(DEVICE_OUTCOME)?)
}
