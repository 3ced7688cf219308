//! Runs of whole graphs: their events and outcomes.

mod answers;
mod branches;
mod failures;
mod iterations;
mod models;
mod pauses;
mod readers;
mod requests;
mod run_setup;
mod sequences;
mod tools;
