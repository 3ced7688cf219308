//! Commands in a cluster, with its redirections. The driver would follow these itself, but then it would also repeat
//! commands whose connection broke, and the second execution of one that consumes something fails: a token would be
//! lost although its grant was redeemed, an approval revoked although it was recorded.

use redis::{
    Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, ServerErrorKind, Value, cluster_async::ClusterConnection,
    cluster_routing::SingleNodeRoutingInfo,
};

/// Runs a command at most once. Follows a redirection, which shows that the command was not executed.
pub(super) async fn run_in_cluster<T: FromRedisValue>(
    connection: &mut ClusterConnection,
    command: &Cmd,
) -> Result<T, RedisError> {
    let outcome = command.query_async(connection).await;
    let Err(error) = &outcome else { return outcome };
    match (error.kind(), error.redirect_node()) {
        // The driver has read the slots again.
        (ErrorKind::Server(ServerErrorKind::Moved), _) => command.query_async(connection).await,
        // The slot is being moved, and the key was already.
        (ErrorKind::Server(ServerErrorKind::Ask), Some((address, _))) => match node(address) {
            Some(node) => run_at_importing_node(connection, command, node).await,
            None => outcome,
        },
        _ => outcome,
    }
}

async fn run_at_importing_node<T: FromRedisValue>(
    connection: &mut ClusterConnection,
    command: &Cmd,
    node: SingleNodeRoutingInfo,
) -> Result<T, RedisError> {
    let mut pipeline = Pipeline::new();
    pipeline.cmd("ASKING").add_command(command.clone());
    let mut values = connection.route_pipeline(pipeline, 0, 2, node).await?;
    match values.pop() {
        Some(Value::ServerError(error)) => Err(error.into()),
        value => Ok(T::from_redis_value(value.unwrap_or(Value::Nil))?),
    }
}

fn node(address: &str) -> Option<SingleNodeRoutingInfo> {
    let (host, port) = address.rsplit_once(':')?;
    Some(SingleNodeRoutingInfo::ByAddress { host: host.to_owned(), port: port.parse().ok()? })
}
