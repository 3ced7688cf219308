//! The device authorization grant, endpoint by endpoint.

mod approve;
mod code;
mod limits;
mod lookup;
mod rotation;
mod token;
