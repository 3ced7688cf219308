//! `POST /apps/{id}/run` and `AppService.RunApp`.

mod audit;
mod bad_inputs;
mod blocking;
mod forward;
mod graphs;
mod keeping;
mod leaving;
mod models;
mod refusals;
mod requests;
mod slow_readers;
mod stopping;
mod streaming;
