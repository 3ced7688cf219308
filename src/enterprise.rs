//! The two implementations of `ports::enterprise`: Dify Enterprise's inner API, and the tables of this service.

pub(crate) mod built_in;
pub(crate) mod remote;

mod recent_answers;
mod single_flight;
