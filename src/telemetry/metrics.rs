//! stub
#[derive(Clone)]
pub struct Metrics;
