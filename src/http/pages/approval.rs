//! A person decides about a device. The code is bound to the page by its handle, so two tabs with two codes never mix.

use std::net::IpAddr;

use axum::response::Response;
use http::StatusCode;
use serde::Serialize;

use super::{
    failed::Failure,
    look::Template,
    moment::Moment,
    notice::Notice,
    visit::{Visit, see_other},
};
use crate::domain::{
    Code, Error, Result, account::AccountView, caller::ClientAddress, grant::PendingGrant, user_code::UserCode,
};

/// The device, as its approver sees it.
#[derive(Serialize)]
pub(super) struct ApprovePage {
    /// This page.
    pub path: String,
    /// The code.
    pub code: String,
    /// The client.
    pub client: String,
    /// What the device calls itself. Nobody has checked it.
    pub label: String,
    /// Where the device asked from.
    pub address: String,
    /// Where the browser is, when that is somewhere else.
    pub browser_address: Option<String>,
    /// When the device asked.
    pub started: Moment,
    /// Seconds until the code ends.
    pub expires_in: u32,
    /// The same in minutes, rounded up.
    pub expires_minutes: String,
    /// Whose account it gets.
    pub account_name: String,
    /// The account's email address.
    pub account_email: String,
    /// The workspace it starts in.
    pub workspace: Option<String>,
    /// What was missing from the form.
    pub error: Option<String>,
    /// What gets a new code.
    pub command: String,
}

/// Shows the device.
pub(super) async fn show(visit: &Visit) -> Result<Response> {
    let code = visit.user_code().ok_or_else(unknown)?;
    let unticked = visit.failure() == Some(Failure::Unticked);
    review(visit, &code, unticked.then(|| visit.texts().get("mine_required").to_owned())).await
}

/// Lets it in, when the person has said that it is theirs.
pub(super) async fn approve(visit: &Visit) -> Result<Response> {
    let code = visit.user_code().ok_or_else(unknown)?;
    if !visit.form.ticked("mine") {
        return Ok(see_other(&Failure::Unticked.at(&visit.device_path())));
    }
    visit.site.rpc.device_flow.approve(&visit.caller()?.account, &code.expose(), visit.address()?).await?;
    Ok(see_other("/device/done/approved"))
}

/// Turns it away.
pub(super) async fn deny(visit: &Visit) -> Result<Response> {
    let code = visit.user_code().ok_or_else(unknown)?;
    visit.site.rpc.device_flow.deny(&visit.caller()?.account, &code.expose(), visit.address()?).await?;
    Ok(see_other("/device/done/denied"))
}

/// What was decided. It names no device, so that it can be reloaded, kept and shared without harm.
pub(super) fn decided(visit: &Visit) -> Result<Response> {
    let notice = match visit.param("outcome") {
        "approved" => Notice::approved(visit.texts()),
        "denied" => Notice::denied(visit.texts()),
        _ => return Err(Error::not_found("There is no such page.")),
    };
    visit.draw(StatusCode::OK, Template::Notice, &notice)
}

async fn review(visit: &Visit, code: &UserCode, error: Option<String>) -> Result<Response> {
    let (caller, address) = (visit.caller()?, visit.address()?);
    let found = visit.site.rpc.device_flow.lookup(&code.expose(), address, Some(caller.account.id)).await?;
    let Some(grant) = found else {
        return visit.draw(
            StatusCode::NOT_FOUND,
            Template::Notice,
            &Notice::expired(visit.texts(), &visit.site.login_command),
        );
    };
    let memberships = visit.site.rpc.console.workspaces(caller).await?;
    let view = AccountView { account: caller.account.clone(), memberships };
    let (path, command) = (visit.device_path(), visit.site.login_command.clone());
    let page = ApprovePage { path, error, command, ..of_grant(grant, code, &view, address) };
    visit.draw(StatusCode::OK, Template::Approve, &page)
}

fn of_grant(grant: PendingGrant, code: &UserCode, view: &AccountView, browser: ClientAddress) -> ApprovePage {
    let device = grant.request.created_ip;
    ApprovePage {
        path: String::new(),
        code: code.expose(),
        client: grant.request.client_id,
        label: grant.request.device_label,
        address: device.to_canonical().to_string(),
        browser_address: differs(device, browser.0).then(|| browser.0.to_canonical().to_string()),
        started: Moment::of_millis(grant.created_at_ms),
        expires_in: grant.expires_in,
        expires_minutes: grant.expires_in.div_ceil(60).max(1).to_string(),
        account_name: view.account.name.clone(),
        account_email: view.account.email.clone(),
        workspace: view.default_workspace().map(|membership| membership.name.clone()),
        error: None,
        command: String::new(),
    }
}

/// Whether two addresses differ in a way worth a notice: IPv6 hosts change theirs within their /64. Whether the networks
/// differ cannot be told where one host has addresses of both families.
fn differs(device: IpAddr, browser: IpAddr) -> bool {
    let (device, browser) = (device.to_canonical(), browser.to_canonical());
    let both_here = device.is_loopback() && browser.is_loopback();
    !both_here && ClientAddress(device).bucket() != ClientAddress(browser).bucket()
}

/// A handle that was not made here, or under a key that is gone: the same to its bearer as a code that has ended.
fn unknown() -> Error {
    Error::new(Code::NotFound, "This code is no longer valid.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_differ_are_worth_a_notice() {
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
