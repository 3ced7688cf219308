//! `token create`: prints the new token once, and what is now true.

use std::io::Write;

use chrono::{SecondsFormat, TimeDelta};
use clap::Args;
use serde_json::json;

use super::{
    age::lifetime, display_name::display_name, error::CommandError, operator::Operator, printable::Printable,
    result_format::ResultFormat,
};
use crate::{
    domain::{client_commands::OPERATOR_CLIENT_ID, session::RevokeSelection},
    service::token_issuer::IssuedToken,
};

#[derive(Clone, Debug, Args)]
pub(crate) struct NewToken {
    /// Email address of the account that the token acts for.
    #[arg(long, value_name = "EMAIL")]
    account: String,
    /// What uses the token. A token of the same account and label is replaced.
    #[arg(long, value_parser = display_name)]
    label: String,
    /// How long the token is valid, like 12h or 30d; at most 365d [default: that of a device's token].
    #[arg(long, value_name = "DURATION", value_parser = lifetime)]
    ttl: Option<TimeDelta>,
    /// The form of the result.
    #[arg(short, long, value_enum, default_value_t = ResultFormat::Text)]
    output: ResultFormat,
}

pub(super) async fn create(operator: &Operator, new: NewToken, out: &mut dyn Write) -> Result<(), CommandError> {
    let email = new.account.trim();
    operator.require_known(&RevokeSelection::Account(email.to_owned())).await?;
    let issued = operator.token_issuer()?.issue(email, &new.label, new.ttl).await?;
    new.output.print(issued.token.expose(), &as_json(&issued), out)?;
    // Standard output has only the token.
    let (email, label, until) = (&issued.account.email, &issued.label, expiry(&issued));
    eprintln!("{}", Printable(format_args!("{email} has the token \"{label}\" until {until}; it is not shown again")));
    if issued.rotated {
        eprintln!("its previous token has ended");
    }
    Ok(())
}

fn as_json(issued: &IssuedToken) -> serde_json::Value {
    json!({
        "token": issued.token.expose(),
        "id": issued.token_id.to_string(),
        "account": issued.account.email,
        "client_id": OPERATOR_CLIENT_ID,
        "label": issued.label,
        "expires_at": expiry(issued),
        "replaced": issued.rotated,
    })
}

fn expiry(issued: &IssuedToken) -> String {
    issued.expires_at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
