//! The handlers of the pages, one file per page or group of pages.

pub(super) mod api_reference;
pub(super) mod approval;
pub(super) mod assets;
pub(super) mod browser_sessions;
pub(super) mod connection_forms;
pub(super) mod connections;
pub(super) mod continue_session;
mod device;
pub(super) mod enter_code;
pub(super) mod external_outcome;
pub(super) mod outcome;
pub(super) mod rename;
pub(super) mod revocation;
pub(super) mod sessions;
pub(super) mod sign_in;
pub(super) mod single_sign_on;
