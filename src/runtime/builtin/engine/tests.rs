//! Whole runs, event by event.

mod branches;
mod failures;
mod iterations;
mod readers;
mod sequences;
mod stage;
