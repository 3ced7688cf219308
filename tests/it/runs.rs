//! `POST /apps/{id}/run` and `AppService.RunApp`.

mod audit;
mod blocking;
mod disconnects;
mod events;
mod follow;
mod form_inputs;
mod forward;
mod graph_events;
pub(crate) mod http_request_node;
mod human_input;
mod limits;
pub(crate) mod model_endpoint;
mod rejected_requests;
mod shutdown;
mod slow_readers;
mod stop;
