//! `http-request`: sends an HTTP request.

mod body;
mod connection_header;
mod context;
mod data;
mod event;
mod header;
mod json_body;
mod lines;
mod request;
mod response;

use self::request::BuiltRequest;
use super::outcome::{NodeError, NodeOutcome, NodeResult, NodeRun, masked};
use crate::runtime::{
    builtin::{json::JsonObject, secret_masks::SecretMasks},
    outbound::OutboundResponse,
};

pub(crate) use self::{context::HttpRequestContext, data::HttpRequestNodeData};

/// Builds the request and starts to send it.
pub(crate) fn start(data: &HttpRequestNodeData, context: &HttpRequestContext<'_>) -> NodeRun {
    let BuiltRequest { mut request, text, connection } = match request::build(data, context) {
        Ok(built) => built,
        Err(error) => return NodeRun::Ready(Err(error)),
    };
    let (outbound, fail_on_status) = (context.outbound.clone(), context.fail_on_status);
    let connection = connection.map(|header| (header, context.credentials.clone()));
    NodeRun::Pending(Box::pin(async move {
        let mut process_data = JsonObject::new();
        process_data.insert("request".to_owned(), text.into());
        let masks = match connection {
            Some((header, credentials)) => match header.add_to(&mut request, &credentials).await {
                Ok(masks) => masks,
                Err(error) => return Err(error.with_process_data(process_data)),
            },
            None => SecretMasks::default(),
        };
        let result = match outbound.send(request, response::max_size).await {
            Ok(response) => node_result(&response, process_data, fail_on_status),
            Err(error) => {
                Err(NodeError::new("HttpRequestNodeError", error.to_string()).with_process_data(process_data))
            }
        };
        masked(result, &masks)
    }))
}

fn node_result(response: &OutboundResponse, process_data: JsonObject, fail_on_status: bool) -> NodeResult {
    let outputs = match response::outputs(response) {
        Ok(outputs) => outputs,
        Err(error) => return Err(error.with_process_data(process_data)),
    };
    if fail_on_status && !response.status.is_success() {
        let message = format!("Request failed with status code {}", response.status.as_u16());
        let error = NodeError::new("HTTPResponseCodeError", message).with_process_data(process_data);
        return Err(Box::new(NodeError { outputs, ..*error }));
    }
    Ok(NodeOutcome { process_data, outputs, ..NodeOutcome::default() })
}

#[cfg(test)]
mod tests;
