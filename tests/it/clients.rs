//! Third-party clients, clients generated from the protos, and every generation of difyctl work without changes.

mod difyctl;
mod examples;
mod grpc_python;
mod large_body;
mod oauth2_crate;
mod openapi_clients;
mod openapi_examples;
mod requests_oauthlib;
mod schemathesis;
