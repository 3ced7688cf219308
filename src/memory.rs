//! The memory of the process: one ledger with a share for each kind of work. Bytes are reserved before they are read,
//! parsed, hashed or rendered, and before a run starts (contract section 8, *Bounds on memory and work*).
//!
//! It counts estimates. It does not measure the process.

mod account;
pub(crate) mod available;
mod counts;
mod error;
mod fair_share;
mod kind;
mod ledger;
mod permit;
pub(crate) mod weight;

pub(crate) use self::{
    counts::{CONNECTION_BYTES, CountLimits, REQUEST_BYTES},
    error::MemoryError,
    fair_share::{FairShares, NoPlaceError, Owner, SharePermit},
    permit::MemoryPermit,
};
pub use self::{kind::MemoryKind, ledger::MemoryLedger};
