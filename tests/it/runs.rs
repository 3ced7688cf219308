//! `POST /apps/{id}/run` and `AppService.RunApp`.

mod blocking;
mod forward;
mod leaving;
mod refusals;
mod streaming;
