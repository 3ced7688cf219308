//! Clients that others wrote, or that are generated from the protos: they work as they come.

mod grpc_python;
mod oauth2_crate;
mod openapi_examples;
mod requests_oauthlib;
mod schemathesis;
