//! The events of a run on the wire, as Dify's service API writes them (contract section 6): one JSON object each.

pub(crate) mod envelope;
pub(crate) mod iteration;
pub(crate) mod message;
pub(crate) mod node;
pub(crate) mod workflow;
