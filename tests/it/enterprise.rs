//! The Enterprise edition: access modes, license, permitted apps.

mod access_modes;
mod failures;
mod inner_routes;
mod permitted_apps;
mod permitted_runs;
mod traces;
