//! `http-request`: sends an HTTP request.

mod body;
mod context;
mod data;
mod lines;
mod request;
mod response;

use super::outcome::{NodeError, NodeOutcome, NodeResult, NodeRun};
use crate::runtime::{builtin::json::JsonObject, outbound::OutboundResponse};

pub(crate) use self::{context::HttpRequestContext, data::HttpRequestNodeData};

/// Sends it.
pub(crate) fn start(data: &HttpRequestNodeData, around: &HttpRequestContext<'_>) -> NodeRun {
    let (request, told) = match request::build(data, around) {
        Ok(built) => built,
        Err(failure) => return NodeRun::Ready(Err(failure)),
    };
    let (outbound, strict) = (around.outbound.clone(), around.strict);
    NodeRun::Pending(Box::pin(async move {
        let mut process_data = JsonObject::new();
        process_data.insert("request".to_owned(), told.into());
        match outbound.send(request, response::limit).await {
            Ok(response) => ended(&response, process_data, strict),
            Err(fault) => {
                Err(NodeError::new("HttpRequestNodeError", fault.to_string()).with_process_data(process_data))
            }
        }
    }))
}

fn ended(response: &OutboundResponse, process_data: JsonObject, strict: bool) -> NodeResult {
    let outputs = match response::outputs(response) {
        Ok(outputs) => outputs,
        Err(failure) => return Err(failure.with_process_data(process_data)),
    };
    if strict && !response.status.is_success() {
        let message = format!("Request failed with status code {}", response.status.as_u16());
        let failure = NodeError::new("HTTPResponseCodeError", message).with_process_data(process_data);
        return Err(Box::new(NodeError { outputs, ..*failure }));
    }
    Ok(NodeOutcome { process_data, outputs, ..NodeOutcome::default() })
}

#[cfg(test)]
mod tests;
