//! The page on which a person approves or denies a device. The handle in its path stands for the code, so that two tabs
//! with two codes cannot be mixed up.

use std::net::IpAddr;

use axum::response::Response;
use chrono::{DateTime, Utc};
use http::StatusCode;
use serde::Serialize;

use super::device::{device_handle, done_path, find_decision, page_path};
use crate::{
    domain::{
        Code, Error, Result, caller::ClientAddress, client_commands::ClientCommand, grant::PendingGrant,
        user_code::UserCode,
    },
    http::pages::{
        context::PageContext, display_time::DisplayTime, form_error::FormError, location::see_other,
        message_page::MessagePage, renderer::PageTemplate,
    },
    rpc::reply::CSRF_TOKEN,
};

/// The workspaces whose names are shown.
const SHOWN_WORKSPACES: usize = 3;

/// The values of the page.
#[derive(Serialize)]
pub(crate) struct ApprovePage {
    /// The path of this page.
    pub path: String,
    /// The user code.
    pub code: String,
    /// The client id.
    pub client: String,
    /// The label that the device gave itself; not verified.
    pub label: String,
    /// The address from which the device requested the code.
    pub device_address: String,
    /// The address of the browser, when the difference is worth a warning.
    pub browser_address: Option<String>,
    /// When the device requested the code.
    pub started: DisplayTime,
    /// Seconds until the code expires.
    pub expires_in: u32,
    /// The same in minutes, rounded up.
    pub expires_minutes: String,
    pub account_name: String,
    pub account_email: String,
    /// The workspaces that the token gives access to.
    pub workspace_count: String,
    /// The names of the first ones.
    pub workspace_names: String,
    /// When the token expires.
    pub until: DisplayTime,
    /// The identity provider of an external identity, which has neither a name nor a workspace.
    pub issuer: Option<String>,
    /// The CSRF token of the form.
    pub csrf_token: String,
    /// Why the submitted form was not accepted.
    pub error: Option<String>,
    /// The command that gets a new code; empty when none is known.
    pub commands: Vec<ClientCommand>,
}

/// Shows the device.
pub(crate) async fn show(context: &PageContext) -> Result<Response> {
    let code = device_handle(context)?.user_code;
    let is_unconfirmed = FormError::noticed(context) == Some(FormError::Unconfirmed);
    review(context, &code, is_unconfirmed.then(|| context.texts().get("mine_required").to_owned())).await
}

/// Approves the device if the person confirmed that it is their own.
pub(crate) async fn approve(context: &PageContext) -> Result<Response> {
    let code = device_handle(context)?.user_code;
    if !context.form.is_checked("mine") {
        return FormError::Unconfirmed.redirect(context, &page_path(context));
    }
    let (account, address) = (&context.caller()?.account, context.client_address()?);
    let decided = context.site.services.device_flow.approve(account, &code.expose(), address).await;
    see_outcome(context, &code, decided).await
}

/// Denies the device.
pub(crate) async fn deny(context: &PageContext) -> Result<Response> {
    let code = device_handle(context)?.user_code;
    let (account, address) = (&context.caller()?.account, context.client_address()?);
    let decided = context.site.services.device_flow.deny(account, &code.expose(), address).await;
    see_outcome(context, &code, decided).await
}

/// Redirects to the outcome. A browser may show its own copy of a page whose code this account has decided long before:
/// that decision is the outcome then.
async fn see_outcome(context: &PageContext, code: &UserCode, decided: Result<()>) -> Result<Response> {
    if let Err(error) = decided
        && (error.code() != Code::NotFound || find_decision(context, code).await?.is_none())
    {
        return Err(error);
    }
    Ok(see_other(&done_path(&page_path(context))))
}

/// Shows the outcome without the device, for addresses of older versions.
pub(crate) fn decided(context: &PageContext) -> Result<Response> {
    let message = match context.path_param("outcome") {
        "approved" => MessagePage::approved(context.texts()),
        "denied" => MessagePage::denied(context.texts()),
        _ => return Err(Error::not_found("There is no such page.")),
    };
    context.render(StatusCode::OK, PageTemplate::Message, &message)
}

async fn review(context: &PageContext, code: &UserCode, error: Option<String>) -> Result<Response> {
    let (caller, address) = (context.caller()?, context.client_address()?);
    let found = context.site.services.device_flow.find_pending(code).await?;
    let Some(grant) = found else {
        if find_decision(context, code).await?.is_some() {
            return Ok(see_other(&done_path(&page_path(context))));
        }
        let message = MessagePage::code_expired(context.texts(), context.commands());
        return context.render(StatusCode::NOT_FOUND, PageTemplate::Message, &message);
    };
    let workspaces = context.site.services.console.workspaces(caller).await?;
    let names = workspaces.iter().take(SHOWN_WORKSPACES).map(|workspace| workspace.name.as_str());
    let more = if workspaces.len() > SHOWN_WORKSPACES { ", …" } else { "" };
    let until = context.site.services.device_flow.token_expiry(Some(caller.account.id)).await?;
    let page = ApprovePage {
        path: page_path(context),
        account_name: caller.account.name.clone(),
        account_email: caller.account.email.clone(),
        workspace_count: if workspaces.is_empty() { String::new() } else { workspaces.len().to_string() },
        workspace_names: names.collect::<Vec<_>>().join(", ") + more,
        csrf_token: context.cookie(CSRF_TOKEN).unwrap_or_default().to_owned(),
        error,
        commands: context.site.client_commands.of_client(&grant.request.client_id),
        ..ApprovePage::of_grant(grant, code, address, until)
    };
    context.render(StatusCode::OK, PageTemplate::Approve, &page)
}

impl ApprovePage {
    /// What the page shows of the device.
    pub(crate) fn of_grant(grant: PendingGrant, code: &UserCode, browser: ClientAddress, until: DateTime<Utc>) -> Self {
        let device = grant.request.created_ip;
        Self {
            path: String::new(),
            code: code.expose(),
            client: grant.request.client_id,
            label: grant.request.device_label,
            device_address: device.to_canonical().to_string(),
            browser_address: differs(device, browser.0).then(|| browser.0.to_canonical().to_string()),
            started: DisplayTime::from_unix_millis(grant.created_at_ms),
            expires_in: grant.expires_in,
            expires_minutes: grant.expires_in.div_ceil(60).max(1).to_string(),
            account_name: String::new(),
            account_email: String::new(),
            workspace_count: String::new(),
            workspace_names: String::new(),
            until: until.into(),
            issuer: None,
            csrf_token: String::new(),
            error: None,
            commands: Vec::new(),
        }
    }
}

/// Whether two addresses differ in a way worth a warning. IPv6 addresses of one /64 count as equal, since hosts change
/// theirs within it. A host that uses both address families differs from itself; nothing in the addresses shows that.
fn differs(device: IpAddr, browser: IpAddr) -> bool {
    let (device, browser) = (device.to_canonical(), browser.to_canonical());
    let both_loopback = device.is_loopback() && browser.is_loopback();
    !both_loopback && ClientAddress(device).bucket() != ClientAddress(browser).bucket()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_differ_unless_equal_loopback_or_in_one_ipv6_network() {
        for (device, browser, expected) in [
            ("203.0.113.7", "203.0.113.7", false),
            ("203.0.113.7", "203.0.113.8", true),
            ("203.0.113.7", "::ffff:203.0.113.7", false),
            ("127.0.0.1", "::1", false),
            ("2001:db8:1:2::a", "2001:db8:1:2::b", false),
            ("2001:db8:1:2::a", "2001:db8:1:3::a", true),
            ("203.0.113.7", "2001:db8:1:2::a", true),
        ] {
            let (device, browser) = (device.parse().expect("an address"), browser.parse().expect("an address"));
            assert_eq!(differs(device, browser), expected, "{device} {browser}");
        }
    }
}
