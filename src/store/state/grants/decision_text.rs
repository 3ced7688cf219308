//! A decision as text in Redis: three lines with the outcome, the client and the label. Neither of the two contains a
//! line break.

use crate::domain::{
    id::TokenId,
    recorded_decision::{Decision, DecisionOutcome},
};

const DENIED: &str = "denied";

pub(super) fn write(decision: &Decision) -> String {
    let outcome = match decision.outcome {
        DecisionOutcome::Approved(token_id) => token_id.to_string(),
        DecisionOutcome::Denied => DENIED.to_owned(),
    };
    format!("{outcome}\n{}\n{}", decision.client_id, decision.device_label)
}

/// `None` for a text that `write` has not returned.
pub(super) fn read(text: &str) -> Option<Decision> {
    let mut lines = text.splitn(3, '\n');
    let outcome = match lines.next()? {
        DENIED => DecisionOutcome::Denied,
        id => DecisionOutcome::Approved(id.parse::<TokenId>().ok()?),
    };
    Some(Decision { client_id: lines.next()?.to_owned(), device_label: lines.next()?.to_owned(), outcome })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decisions_are_read_as_written() {
        let id = "0199f2c0-0000-7000-8000-000000000001".parse().unwrap();
        for outcome in [DecisionOutcome::Approved(id), DecisionOutcome::Denied] {
            let decision =
                Decision { client_id: "acme-cli".to_owned(), device_label: "box of Ada".to_owned(), outcome };
            assert_eq!(read(&write(&decision)), Some(decision));
        }
        for text in ["", "denied", "denied\nacme-cli", "approved\nacme-cli\nbox"] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }
}
