//! Encryption of apps' secret variables in `workflows.environment_variables`.
//!
//! Only a standalone server writes this column. Beside Dify, Dify writes it in a format of its own, and this service
//! does not run the apps.

use serde_json::Value;

use super::sql_store::SqlStore;
use crate::domain::{
    app::file::is_secret,
    error::{Code, Error, Result},
};

/// Precedes an encrypted value. A value without it was stored before encryption, and is read as it is.
const SEALED: &str = "openapi-sealed:v1:";

impl SqlStore {
    /// Encrypts the values of secret variables. Empty values stay empty.
    pub(super) fn seal_secrets(&self, variables: &[Value]) -> Result<Vec<Value>> {
        let mut sealed = variables.to_vec();
        for variable in sealed.iter_mut().filter(|variable| is_secret(variable)) {
            if let Some(value) = variable["value"].as_str().filter(|value| !value.is_empty()) {
                variable["value"] = format!("{SEALED}{}", self.keys.seal_app_secret(value)?).into();
            }
        }
        Ok(sealed)
    }

    /// Decrypts the values of secret variables in a list, or in an object by name. Fails with `app_unavailable` when no
    /// key opens one.
    pub(super) fn open_secrets(&self, variables: &mut Value) -> Result<()> {
        match variables {
            Value::Array(list) => list.iter_mut().try_for_each(|variable| self.open_secret(variable)),
            Value::Object(by_name) => by_name.values_mut().try_for_each(|variable| self.open_secret(variable)),
            _ => Ok(()),
        }
    }

    fn open_secret(&self, variable: &mut Value) -> Result<()> {
        if !is_secret(variable) {
            return Ok(());
        }
        let Some(sealed) = variable["value"].as_str().and_then(|value| value.strip_prefix(SEALED)) else {
            return Ok(());
        };
        let secret = self.keys.open_app_secret(sealed).ok_or_else(|| {
            Error::new(
                Code::AppUnavailable,
                "The secret variables of this app cannot be decrypted with this SECRET_KEY.",
            )
            .with_hint("Add the former key to SECRET_KEYS_PREVIOUS, or import the app again.")
        })?;
        variable["value"] = secret.expose().into();
        Ok(())
    }
}
