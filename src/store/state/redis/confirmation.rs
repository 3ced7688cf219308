//! One group of writes and its `WAIT`.

use redis::{Cmd, Pipeline, RedisError, Value};
use tokio::time::{Instant, timeout_at};

use super::{
    driver_error::{ConnectionFault, domain_error, fault_of},
    options::WAIT_TIMEOUT_MS,
    pool::ConnectionHandle,
};
use crate::{
    domain::{Error, Result},
    ports::state_stores::RefusedCommandError,
};

/// The reply to a write that is confirmed, or why it is not.
pub(super) type Reply = Result<Value>;

/// Writes that are sent at once.
pub(super) struct Group<'a> {
    /// Each with its key.
    pub(super) writes: &'a [(Cmd, String)],
    /// The marker, outside a cluster.
    pub(super) marker_key: &'a str,
    pub(super) replicas: u8,
    pub(super) deadline: Instant,
}

#[derive(Default)]
pub(super) struct Confirmed {
    /// In the order of the writes.
    pub(super) replies: Vec<Reply>,
    /// Whether too few replicas confirmed a write; `None` when it is unknown.
    pub(super) shortage: Option<bool>,
    /// What the replies say of the connection.
    pub(super) fault: Option<ConnectionFault>,
}

/// Runs the writes and waits for the replicas: with one `WAIT`, or in a cluster, where each write may be for another
/// master, with one for each.
pub(super) async fn confirm(handle: ConnectionHandle, group: &Group<'_>) -> Confirmed {
    if !matches!(handle, ConnectionHandle::Cluster(_)) {
        return confirm_together(handle, group.writes, Some(group.marker_key.to_owned()), group).await;
    }
    let singles = group.writes.iter().map(|write| {
        confirm_together(handle.clone(), std::slice::from_ref(write), marker_beside(group.marker_key, &write.1), group)
    });
    let mut all = Confirmed::default();
    for confirmed in futures_util::future::join_all(singles).await {
        all.replies.extend(confirmed.replies);
        all.shortage = if all.shortage == Some(true) { all.shortage } else { confirmed.shortage.or(all.shortage) };
        all.fault = all.fault.max(confirmed.fault);
    }
    all
}

async fn confirm_together(
    mut handle: ConnectionHandle,
    writes: &[(Cmd, String)],
    marker: Option<String>,
    group: &Group<'_>,
) -> Confirmed {
    let mut pipeline = Pipeline::new();
    for (command, _) in writes {
        pipeline.add_command(command.clone());
    }
    if let Some(marker) = &marker {
        pipeline.cmd("SET").arg(marker).arg("1").arg("PX").arg(1_000);
    }
    pipeline.cmd("WAIT").arg(group.replicas).arg(WAIT_TIMEOUT_MS);
    match timeout_at(group.deadline, handle.run_all(&pipeline)).await {
        Ok(Ok(values)) => read(values, writes.len(), group.replicas),
        Ok(Err(error)) => {
            // Without a probe, which a `WAIT` that goes on would delay.
            let fault = fault_of(&error).map(|_| ConnectionFault::Unusable);
            Confirmed { fault, ..Confirmed::failed(writes.len(), || domain_error(&error)) }
        }
        Err(_) => {
            let error = || Error::unavailable("Redis did not confirm a write in time");
            // A `WAIT` that goes on would delay the next group.
            Confirmed { fault: Some(ConnectionFault::Unusable), ..Confirmed::failed(writes.len(), error) }
        }
    }
}

/// Reads the replies to the writes, the marker and `WAIT`.
fn read(mut values: Vec<Value>, writes: usize, required: u8) -> Confirmed {
    let waited = values.pop();
    values.truncate(writes);
    let fault = values.iter().filter_map(fault_of_reply).max();
    match waited {
        Some(Value::Int(count)) if count >= i64::from(required) => {
            Confirmed { replies: values.into_iter().map(Ok).collect(), shortage: Some(false), fault }
        }
        Some(Value::Int(count)) => {
            let error = || Error::unavailable(format!("{count} of {required} replicas of Redis confirmed a write"));
            Confirmed { shortage: Some(true), fault, ..Confirmed::failed(writes, error) }
        }
        // A master that is demoted ends the `WAIT` of its clients.
        refused => Confirmed {
            fault: Some(ConnectionFault::Unusable),
            ..Confirmed::failed(writes, || Error::unavailable(refusal(refused.as_ref())))
        },
    }
}

impl Confirmed {
    /// No write is confirmed.
    fn failed(writes: usize, error: impl Fn() -> Error) -> Self {
        Self { replies: (0..writes).map(|_| Err(error())).collect(), shortage: None, fault: None }
    }
}

fn fault_of_reply(reply: &Value) -> Option<ConnectionFault> {
    match reply {
        Value::ServerError(error) => fault_of(&RedisError::from(error.clone())),
        _ => None,
    }
}

/// Why Redis has not executed `WAIT`.
fn refusal(value: Option<&Value>) -> RefusedCommandError {
    let reason = match value {
        // The message has no argument but the name of the user.
        Some(Value::ServerError(error)) => format!("{} {}", error.code(), error.details().unwrap_or_default()),
        _ => "an unexpected reply".to_owned(),
    };
    RefusedCommandError { command: "WAIT".to_owned(), reason }
}

/// A marker in the slot of a key. `None` for a key whose hash tag cannot be repeated.
fn marker_beside(marker_key: &str, key: &str) -> Option<String> {
    let tag = key.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(tag, _)| tag);
    let tag = tag.filter(|tag| !tag.is_empty()).unwrap_or(key);
    (!tag.contains(['{', '}'])).then(|| format!("{marker_key}:{{{tag}}}"))
}

#[cfg(test)]
mod tests {
    use super::marker_beside;

    #[test]
    fn marker_has_the_hash_tag_of_the_key() {
        let marker = |key: &str| marker_beside("p:openapi:probe", key);
        assert_eq!(marker("p:openapi:grant:{ab}").unwrap(), "p:openapi:probe:{ab}");
        assert_eq!(marker("p:auth:token:ab").unwrap(), "p:openapi:probe:{p:auth:token:ab}");
        assert_eq!(marker("nonce:{}"), None);
        assert_eq!(marker("nonce:a}b"), None);
        assert_eq!(marker("nonce:{a{b}").as_deref(), None);
    }
}
