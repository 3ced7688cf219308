//! Integration tests over real sockets, organized like the routes. One binary, so that the crate links once.

#![expect(unreachable_pub, reason = "a test binary exports nothing; `pub` marks items that its files share")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed step fails the test; clippy exempts test functions, not their helpers"
)]

#[macro_use]
mod support;

mod account;
mod alerts;
mod api_reference;
mod app_command;
mod app_files;
mod apps;
mod audit;
mod auth_matrix;
mod beside_dify;
mod browser;
mod budgets;
mod catalog;
mod chart;
mod client_messages;
mod clients;
mod command_line;
mod command_table;
mod connections;
mod console;
mod cors;
mod demo_apps;
mod device_flow;
mod differential;
mod documents;
mod enterprise;
mod errors;
mod exemplars;
mod exported_metrics;
mod files;
mod forwarded_for;
mod fuzz;
mod grpc;
mod history;
mod hostile;
mod introspect;
mod key_rotation;
mod layers;
mod members;
mod memory_bounds;
mod meta;
mod new_user;
mod newer_schema;
mod openapi;
mod operator;
mod outages;
mod outgoing;
mod pages;
mod probes;
mod provisioning;
mod races;
mod readiness;
mod replicas;
mod request_outcomes;
mod retention;
mod revoke;
mod runs;
mod secrets;
mod sessions;
mod shutdown;
mod single_sign_on;
mod tls_reload;
mod traces;
mod well_known;
mod workspaces;
