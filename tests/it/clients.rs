//! Third-party clients and clients generated from the protos work without changes.

mod grpc_python;
mod oauth2_crate;
mod openapi_examples;
mod requests_oauthlib;
mod schemathesis;
