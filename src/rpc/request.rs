//! The parts of a request besides its message: caller, client address, user agent.

use tonic::Request;

use crate::domain::{
    Error, Result,
    caller::{Caller, ClientAddress, ConsoleCaller, GrantCaller},
    client::ClientGeneration,
    cookie,
    request_origin::RequestOrigin,
};

/// The preferred format of a stream on the JSON door. gRPC requests have none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prefers {
    /// One JSON body.
    Json,
    /// Server-Sent Events.
    Events,
    /// Server-Sent Events, also when the message requests one body: the path has no other format.
    OnlyEvents,
}

/// The deadline of the caller. A stream ends at it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(pub std::time::Instant);

/// The caller of a bearer request. Fails if the method is mounted without its policy.
pub(crate) fn caller<T>(request: &Request<T>) -> Result<&Caller> {
    request.extensions().get().ok_or_else(|| Error::internal("a bearer method without a caller"))
}

pub(crate) fn console_caller<T>(request: &Request<T>) -> Result<&ConsoleCaller> {
    request.extensions().get().ok_or_else(|| Error::internal("a console method without a caller"))
}

/// The caller of a method for external identities.
pub(crate) fn grant_caller<T>(request: &Request<T>) -> Result<&GrantCaller> {
    request.extensions().get().ok_or_else(|| Error::internal("a method for external identities without a caller"))
}

/// A cookie of a request. HTTP/2 may send a header for each cookie.
pub(crate) fn cookie<'a, T>(request: &'a Request<T>, name: &str) -> Option<&'a str> {
    let headers = request.metadata().get_all("cookie");
    headers.iter().filter_map(|value| value.to_str().ok()).find_map(|header| cookie::find(header, name))
}

pub(crate) fn address<T>(request: &Request<T>) -> Result<ClientAddress> {
    ClientAddress::required(request.extensions().get())
}

pub(crate) fn user_agent<T>(request: &Request<T>) -> Option<String> {
    request.metadata().get("user-agent")?.to_str().ok().map(str::to_owned)
}

/// Where and with what the request of a browser was sent.
pub(crate) fn request_origin<T>(request: &Request<T>) -> Result<RequestOrigin> {
    Ok(RequestOrigin::new(address(request)?, user_agent(request).as_deref()))
}

pub(crate) fn client_generation<T>(request: &Request<T>) -> ClientGeneration {
    ClientGeneration::of(user_agent(request).as_deref())
}

/// The `client_id` of HTTP Basic with an empty secret (RFC 6749 section 2.3.1).
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
