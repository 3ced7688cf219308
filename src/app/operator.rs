//! The services that the operator's commands call.

use std::sync::Arc;

use super::{components::Components, dependencies::Dependencies, settings, stores::connect_state};
use crate::{
    config::Config,
    domain::Result,
    service::{connections::Connections, token_issuer::TokenIssuer},
    store::sql::SqlStore,
};

/// The use cases of connections, on the stores of this configuration.
pub(crate) fn connections(
    config: &Config,
    sql: Arc<SqlStore>,
    standalone: bool,
    dependencies: Dependencies,
) -> Result<Connections> {
    components(config, sql, standalone, dependencies)?.connections(config)
}

/// The issuer of tokens, on the stores of this configuration.
pub(crate) fn token_issuer(
    config: &Config,
    sql: Arc<SqlStore>,
    standalone: bool,
    dependencies: Dependencies,
) -> Result<TokenIssuer> {
    let components = components(config, sql, standalone, dependencies)?;
    let lifetimes = components.token_lifetimes(config);
    let (context, invalidations) = (components.context, components.invalidations);
    Ok(TokenIssuer::new(context, invalidations, lifetimes, settings::token_issuer(config)))
}

fn components(config: &Config, sql: Arc<SqlStore>, standalone: bool, dependencies: Dependencies) -> Result<Components> {
    let state = connect_state(config, &dependencies.clock, &dependencies.redis_clock_offset, None, None)?;
    Components::new(config, sql, state, standalone, dependencies)
}
