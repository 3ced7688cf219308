//! The JSON routes and the bindings of their members, generated from the protos.

use super::codec::{
    self, JsonRoute,
    bind::{self, BindMembers},
    enumeration::JsonEnum,
};
use crate::{
    pipeline::policy::{OTHER_PATHS, POLICIES},
    rpc::{Rpc, proto},
};

include!(concat!(env!("OUT_DIR"), "/doors.rs"));

/// The OpenAPI 3.1 document of the public API in an edition, generated from the protos.
pub const fn openapi(enterprise: bool) -> &'static str {
    if enterprise {
        include_str!(concat!(env!("OUT_DIR"), "/openapi_enterprise.json"))
    } else {
        include_str!(concat!(env!("OUT_DIR"), "/openapi.json"))
    }
}

/// The document of the other routes: those of the console and of internal services.
pub const fn internal_openapi(enterprise: bool) -> &'static str {
    if enterprise {
        include_str!(concat!(env!("OUT_DIR"), "/openapi_internal_enterprise.json"))
    } else {
        include_str!(concat!(env!("OUT_DIR"), "/openapi_internal.json"))
    }
}
