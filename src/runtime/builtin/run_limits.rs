//! The limits of a run.

use std::time::Duration;

/// What one run may use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunLimits {
    pub run_timeout: Duration,
    /// For one attempt of one node.
    pub node_timeout: Duration,
    /// Largest number of executions of nodes of the graph itself.
    pub root_steps: usize,
    /// Largest number of executions of nodes, those inside iterations included.
    pub total_steps: usize,
    /// Largest size of one variable, in bytes; also of the prompt and the answer of a model.
    pub variable_bytes: usize,
    /// Largest size of all variables of a run together, in bytes.
    pub run_bytes: usize,
    /// Largest size of the text that a run streams, in bytes.
    pub answer_bytes: usize,
    /// How long the last events of a graph wait for a slow reader.
    pub last_events_timeout: Duration,
    /// Longest time that a run waits for a form.
    pub form_timeout: Duration,
}

impl Default for RunLimits {
    fn default() -> Self {
        Self {
            run_timeout: Duration::from_mins(20),
            node_timeout: Duration::from_mins(10),
            root_steps: 500,
            total_steps: 20_000,
            variable_bytes: 2 << 20,
            run_bytes: 32 << 20,
            answer_bytes: 4 << 20,
            last_events_timeout: Duration::from_secs(5),
            form_timeout: Duration::from_hours(7 * 24),
        }
    }
}
