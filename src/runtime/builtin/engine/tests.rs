//! Runs of whole graphs: their events and outcomes.

mod branches;
mod failures;
mod iterations;
mod readers;
mod requests;
mod run_setup;
mod sequences;
