//! Runs of apps.

mod forward;
