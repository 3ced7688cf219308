//! Whole runs, event by event.

mod branches;
mod sequences;
mod stage;
