//! `POST /apps/{id}/run` and `AppService.RunApp`.

mod audit;
mod blocking;
mod disconnects;
mod events;
mod form_inputs;
mod forward;
mod graph_events;
mod http_request_node;
mod limits;
mod model_endpoint;
mod rejected_requests;
mod shutdown;
mod slow_readers;
