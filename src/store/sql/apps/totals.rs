//! How many apps a big workspace has, remembered for a moment.
//!
//! A total costs as much as there are apps, a page does not: in a workspace of ten thousand, counting them would be most
//! of what a list costs. So a total that is expensive is counted once a second at most; small ones are counted each time.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use crate::domain::{app::AppMode, id::WorkspaceId};

/// Totals from here on are remembered.
const EXPENSIVE: u64 = 1_000;
/// How old a total may be.
const KEEP: Duration = Duration::from_secs(1);
/// Totals remembered at most; those past their time are dropped first.
const MOST: usize = 4_096;

/// Whose apps, and of which kind.
type Whose = (WorkspaceId, Option<AppMode>);

/// Totals counted a moment ago.
#[derive(Default)]
pub(in crate::store::sql) struct Totals(Mutex<HashMap<Whose, (u64, Instant)>>);

impl Totals {
    /// The total, when it was counted within the last second.
    pub(super) fn get(&self, whose: Whose) -> Option<u64> {
        let known = self.0.lock();
        known.get(&whose).filter(|(_, at)| at.elapsed() < KEEP).map(|(total, _)| *total)
    }

    /// Remembers a total, if it is worth that.
    pub(super) fn put(&self, whose: Whose, total: u64) {
        let mut known = self.0.lock();
        if total < EXPENSIVE {
            known.remove(&whose);
            return;
        }
        if known.len() >= MOST {
            known.retain(|_, (_, at)| at.elapsed() < KEEP);
        }
        if known.len() < MOST {
            known.insert(whose, (total, Instant::now()));
        }
    }
}
