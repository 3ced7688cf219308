//! Entering a code. It only leads to the device's page; nothing is looked up and nothing changes here.

use axum::response::Response;
use http::StatusCode;
use serde::Serialize;

use super::{
    look::Template,
    visit::{Visit, see_other},
};
use crate::domain::{Result, user_code::UserCode};

/// Characters of a wrong code that are shown again.
const SHOWN: usize = 40;

/// The form with the words that the code of a link was none. It says nothing of the code.
const MALFORMED: &str = "/device?malformed=yes";

/// The form.
#[derive(Default, Serialize)]
pub struct EnterCodePage {
    /// What was typed.
    pub text: String,
    /// What is wrong with it.
    pub error: Option<String>,
}

/// The form. A code in the query, as a device shows it in a link, leads on at once, and out of the address even where it
/// is none: history keeps addresses.
pub fn show(visit: &Visit) -> Result<Response> {
    match visit.query("user_code") {
        Some(text) if !text.trim().is_empty() => match UserCode::parse(&text) {
            Ok(code) => Ok(see_other(&visit.site.device_path(&code)?)),
            Err(_) => Ok(see_other(MALFORMED)),
        },
        _ => {
            let error = visit.query("malformed").map(|_| malformed(visit));
            visit.draw(StatusCode::OK, Template::EnterCode, &EnterCodePage { error, ..EnterCodePage::default() })
        }
    }
}

/// What was typed.
pub fn submit(visit: &Visit) -> Result<Response> {
    let text = visit.form.text("user_code");
    if let Ok(code) = UserCode::parse(text) {
        return Ok(see_other(&visit.site.device_path(&code)?));
    }
    let text = text.chars().filter(|symbol| !symbol.is_control()).take(SHOWN).collect();
    visit.draw(StatusCode::BAD_REQUEST, Template::EnterCode, &EnterCodePage { text, error: Some(malformed(visit)) })
}

fn malformed(visit: &Visit) -> String {
    visit.texts().get("enter_malformed").to_owned()
}
