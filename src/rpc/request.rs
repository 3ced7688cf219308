//! What a handler reads off a request besides its message: the caller, the address, the user agent.

use tonic::Request;

use crate::domain::{
    Error, Result,
    caller::{Caller, ClientAddress, ConsoleCaller},
};

/// What a caller of the JSON door would rather read. Over gRPC nobody says: a stream is what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prefers {
    /// One JSON body.
    Json,
    /// Server-Sent Events.
    Events,
}

/// When the caller stops waiting; a stream ends by then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(pub std::time::Instant);

/// The bearer's caller. The pipeline has put it there; without it the method was mounted without its policy.
pub(crate) fn caller<T>(request: &Request<T>) -> Result<&Caller> {
    request.extensions().get().ok_or_else(|| Error::internal("a bearer method without a caller"))
}

/// The person at the browser.
pub(crate) fn console_caller<T>(request: &Request<T>) -> Result<&ConsoleCaller> {
    request.extensions().get().ok_or_else(|| Error::internal("a console method without a caller"))
}

/// Where the request came from.
pub(crate) fn address<T>(request: &Request<T>) -> Result<ClientAddress> {
    ClientAddress::required(request.extensions().get())
}

/// What the client calls itself.
pub(crate) fn user_agent<T>(request: &Request<T>) -> Option<String> {
    request.metadata().get("user-agent")?.to_str().ok().map(str::to_owned)
}

/// The `client_id` of HTTP Basic with an empty secret, as RFC 6749 section 2.3.1 lets public clients send it.
pub(crate) fn basic_client_id<T>(request: &Request<T>) -> Option<String> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let (scheme, encoded) = request.metadata().get("authorization")?.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (client_id, secret) = decoded.split_once(':')?;
    let client_id = form_urlencoded::parse(format!("v={client_id}").as_bytes()).next()?.1.into_owned();
    secret.is_empty().then_some(client_id)
}
