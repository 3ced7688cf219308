//! Where a request or a command comes from, for the audit trail.

use std::{
    net::IpAddr,
    os::unix::fs::MetadataExt as _,
    sync::{Arc, OnceLock},
};

use http::{HeaderMap, HeaderValue, header::USER_AGENT};

use crate::domain::{caller::ClientAddress, text::is_unprintable};

/// Limit of a user agent and of the name of an operator, in characters.
const MAX_TEXT: usize = 255;
/// The variables that name the person who runs a command. The first one is this program's own.
const OPERATOR_VARIABLES: [&str; 4] = ["OPERATOR", "SUDO_USER", "USER", "LOGNAME"];

tokio::task_local! {
    static CURRENT: Option<Arc<Origin>>;
}

/// The person who runs the command of this process. It is static because a process runs one command.
static OPERATOR: OnceLock<String> = OnceLock::new();

/// Where a request comes from.
#[derive(Debug)]
pub(crate) struct Origin {
    /// Behind trusted proxies.
    pub client: ClientAddress,
    /// The other end of the connection.
    pub peer: IpAddr,
    user_agent: Option<HeaderValue>,
}

impl Origin {
    pub(crate) fn new(client: ClientAddress, peer: IpAddr, headers: &HeaderMap) -> Self {
        Self { client, peer: peer.to_canonical(), user_agent: headers.get(USER_AGENT).cloned() }
    }

    /// The printable characters of the header. Most requests record no event, so only an event reads it.
    pub(super) fn user_agent(&self) -> Option<String> {
        self.user_agent.as_ref()?.to_str().ok().map(printable)
    }
}

/// Runs a request with its origin.
pub(crate) fn scope<F: Future>(origin: Option<Arc<Origin>>, request: F) -> impl Future<Output = F::Output> {
    CURRENT.scope(origin, request)
}

/// Runs a part of a request, which does not wait, with its origin.
pub(super) fn enter<T>(origin: Option<Arc<Origin>>, work: impl FnOnce() -> T) -> T {
    CURRENT.sync_scope(origin, work)
}

/// The origin of the current request; `None` outside one.
pub(crate) fn current() -> Option<Arc<Origin>> {
    CURRENT.try_with(Clone::clone).ok().flatten()
}

/// Names the person who runs this command: `OPERATOR`, or the user of the operating system.
pub(crate) fn set_operator(environment: impl Fn(&str) -> Option<String>) {
    let name = OPERATOR_VARIABLES
        .into_iter()
        .find_map(|name| environment(name).map(|value| printable(value.trim())).filter(|value| !value.is_empty()));
    // A process runs one command.
    let _ = OPERATOR.set(name.unwrap_or_else(user_id));
}

/// The person who runs this command; `None` in a server.
pub(super) fn operator() -> Option<&'static str> {
    OPERATOR.get().map(String::as_str)
}

/// The number of the user, where no variable has a name, as in containers.
fn user_id() -> String {
    match std::fs::metadata("/proc/self") {
        Ok(metadata) => format!("uid {}", metadata.uid()),
        Err(_) => "unknown".to_owned(),
    }
}

fn printable(text: &str) -> String {
    text.chars().filter(|symbol| !is_unprintable(*symbol)).take(MAX_TEXT).collect()
}
