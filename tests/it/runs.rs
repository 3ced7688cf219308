//! `POST /apps/{id}/run` and `AppService.RunApp`.

mod blocking;
mod forward;
mod graphs;
mod keeping;
mod leaving;
mod models;
mod refusals;
mod requests;
mod streaming;
