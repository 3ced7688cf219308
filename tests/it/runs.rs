//! `POST /apps/{id}/run` and `AppService.RunApp`.

mod blocking;
mod forward;
mod keeping;
mod leaving;
mod models;
mod refusals;
mod streaming;
