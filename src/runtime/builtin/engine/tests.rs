//! Whole runs, event by event.

mod branches;
mod failures;
mod iterations;
mod readers;
mod requests;
mod sequences;
mod stage;
