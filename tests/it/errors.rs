//! Errors outside of single methods, and headers of every response.

mod headers;
mod routing;
