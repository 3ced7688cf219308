//! Apps, as listing, describing and running them read them. Every statement also reads whether the account is a member
//! of the workspace, so that no app is returned without that check.

mod candidates;
mod definition;
mod list;
mod lookup;
mod membership;
mod name_filter;
mod permitted;
mod queries;
pub(super) mod rendered;
mod tags;
pub(super) mod total_cache;

pub(super) use self::definition::AdmitText;
