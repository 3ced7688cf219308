//! Entering a code. It only leads to the device's page; nothing is looked up and nothing changes here.

use axum::response::Response;
use http::StatusCode;
use serde::Serialize;

use super::{
    failed::Failure,
    look::Template,
    visit::{Visit, see_other},
};
use crate::domain::{Result, user_code::UserCode};

/// The form.
const PATH: &str = "/device";

/// The form.
#[derive(Default, Serialize)]
pub(super) struct EnterCodePage {
    /// What was wrong with what was typed.
    pub error: Option<String>,
}

/// The form. A code in the query, as a device shows it in a link, leads on at once, and out of the address even where it
/// is none: history keeps addresses.
pub(super) fn show(visit: &Visit) -> Result<Response> {
    if let Some(code) = visit.query("user_code").filter(|code| !code.trim().is_empty()) {
        return lead_on(visit, &code);
    }
    let malformed = visit.failure() == Some(Failure::Malformed);
    let error = malformed.then(|| visit.texts().get("enter_malformed").to_owned());
    visit.draw(StatusCode::OK, Template::EnterCode, &EnterCodePage { error })
}

/// The form's address with a slash too many, as it is typed or made of a base address.
pub(super) fn show_without_slash(visit: &Visit) -> Result<Response> {
    match visit.query("user_code") {
        Some(code) => lead_on(visit, &code),
        None => Ok(see_other(PATH)),
    }
}

/// What was typed.
pub(super) fn submit(visit: &Visit) -> Result<Response> {
    lead_on(visit, visit.form.text("user_code"))
}

/// To the device's page; back to the form where that was no code.
fn lead_on(visit: &Visit, text: &str) -> Result<Response> {
    match UserCode::parse(text) {
        Ok(code) => Ok(see_other(&visit.site.device_path(&code)?)),
        Err(_) => Ok(see_other(&Failure::Malformed.at(PATH))),
    }
}
