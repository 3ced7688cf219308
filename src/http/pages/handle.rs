//! The opaque part of a device page's URL: the code, sealed, so that no history, log or referrer ever holds it.

use super::{Site, visit::Visit};
use crate::domain::{Result, user_code::UserCode};

impl Site {
    /// The page of the device that shows this code.
    pub(crate) fn device_path(&self, code: &UserCode) -> Result<String> {
        Ok(format!("/device/{}", self.keys.seal_handle(code)?))
    }
}

impl Visit {
    /// The code behind this page; `None` when the URL was not made here.
    pub(super) fn user_code(&self) -> Option<UserCode> {
        self.site.keys.open_handle(self.param("handle"))
    }

    /// This device's page. Only to be asked once the handle has opened.
    pub(super) fn device_path(&self) -> String {
        format!("/device/{}", self.param("handle"))
    }
}
