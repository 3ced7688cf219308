//! stub
pub struct AccessRecord;
impl AccessRecord { pub fn of<B>(_: &http::Request<B>, _: crate::domain::caller::ClientAddress) -> Self { Self }
 pub fn finish<B>(self, _: &http::Response<B>, _: &str, _: std::time::Duration, _: &super::metrics::Metrics) {} }
