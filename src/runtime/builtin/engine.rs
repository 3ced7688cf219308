//! Runs a graph: starts each node when all edges that lead to it are decided, streams the text of answers while
//! models still generate it, and writes an event for every step.
//!
//! One run is one future. The nodes run concurrently inside it, so that dropping it stops them all and a slow reader
//! slows down its own run only. The engine knows neither databases nor HTTP.

pub(crate) mod execution;
pub(crate) mod outcome;
pub(crate) mod pause;
pub(crate) mod run;
mod run_outputs;

mod answer_stream;
mod answer_writer;
mod attempt;
mod certainty;
mod error;
mod event_writer;
mod frame;
mod frames;
mod ids;
mod iteration_runner;
mod iterations;
mod node_end;
mod node_end_writer;
mod node_events;
mod running;
mod scheduler;
mod step_counter;
mod task;
mod text_node;
mod work_queue;

#[cfg(test)]
mod tests;
