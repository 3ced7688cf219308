//! Errors that no single method owns, and what every response carries.

mod headers;
mod routing;
