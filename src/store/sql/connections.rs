//! Connections: Dify's `tool_builtin_providers` with the state that this service keeps beside it, the OAuth clients,
//! and the imported providers.

mod clients;
mod create;
mod deletion;
mod health;
mod providers;
mod read;
mod visibility;
mod write;
