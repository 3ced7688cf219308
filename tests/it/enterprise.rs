//! The Enterprise edition: access modes, license, permitted apps.

mod access_modes;
mod failures;
