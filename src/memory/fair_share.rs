//! Fair shares of something scarce: an owner may hold at most a multiple of what is left, so that there is always some
//! left for others, and an owner who is alone may use most of it.

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::{BuildHasher as _, Hash, RandomState},
    sync::{Arc, LazyLock},
};

use parking_lot::Mutex;

use crate::domain::subject::Subject;

/// Who holds a share: an account, a workspace, an app or an address, by the hash of its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Owner(u64);

impl Owner {
    /// The hash has a random key for each process, so that clients cannot choose ids that collide.
    pub(crate) fn of(id: &impl Hash) -> Self {
        static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        Self(HASHER.hash_one(id))
    }

    /// The owner of what a subject causes, whatever its token and the app are.
    pub(crate) fn of_subject(subject: &Subject) -> Self {
        match subject {
            Subject::Account { id, .. } => Self::of(&id.0),
            Subject::ExternalSso { email, issuer } => Self::of(&(email.to_lowercase(), issuer)),
        }
    }
}

/// Whether an owner that will hold `held` leaves enough to others: at least `held / factor`.
pub(super) const fn is_fair(held: usize, left: usize, factor: usize) -> bool {
    held <= left.saturating_mul(factor)
}

/// What each owner holds.
#[derive(Debug, Default)]
pub(super) struct Holdings(HashMap<Owner, usize>);

impl Holdings {
    pub(super) fn of(&self, owner: Owner) -> usize {
        self.0.get(&owner).copied().unwrap_or_default()
    }

    pub(super) fn add(&mut self, owner: Owner, amount: usize) {
        *self.0.entry(owner).or_default() += amount;
    }

    /// Owners that hold nothing are forgotten.
    pub(super) fn subtract(&mut self, owner: Owner, amount: usize) {
        if let Entry::Occupied(mut held) = self.0.entry(owner) {
            *held.get_mut() = held.get().saturating_sub(amount);
            if *held.get() == 0 {
                held.remove();
            }
        }
    }
}

/// A number of places that workspaces and their apps share. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct FairShares(Arc<Places>);

#[derive(Debug)]
struct Places {
    capacity: usize,
    in_use: Mutex<PlacesInUse>,
}

#[derive(Debug, Default)]
struct PlacesInUse {
    total: usize,
    owners: Holdings,
}

/// A workspace may hold as many places as there are left, times this.
const WORKSPACE_FACTOR: usize = 3;
/// An app may hold as many places as there are left, times this.
const APP_FACTOR: usize = 2;

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoPlaceError {
    /// Every place is taken.
    Full,
    /// The workspace or the app has its share.
    ShareUsed,
}

impl FairShares {
    pub(crate) fn new(capacity: usize) -> Self {
        Self(Arc::new(Places { capacity, in_use: Mutex::default() }))
    }

    /// Takes a place for an app of a workspace. Does not wait.
    pub(crate) fn take(&self, workspace: Owner, app: Owner) -> Result<SharePermit, NoPlaceError> {
        let mut in_use = self.0.in_use.lock();
        let Some(left) = self.0.capacity.checked_sub(in_use.total + 1) else { return Err(NoPlaceError::Full) };
        for (owner, factor) in [(workspace, WORKSPACE_FACTOR), (app, APP_FACTOR)] {
            // The first place is always fair.
            let after = in_use.owners.of(owner);
            if !is_fair(after, left.max(1), factor) {
                return Err(NoPlaceError::ShareUsed);
            }
        }
        in_use.total += 1;
        in_use.owners.add(workspace, 1);
        in_use.owners.add(app, 1);
        Ok(SharePermit { shares: self.clone(), owners: [workspace, app] })
    }
}

/// A place; returned when it is dropped.
#[derive(Debug)]
pub(crate) struct SharePermit {
    shares: FairShares,
    owners: [Owner; 2],
}

impl Drop for SharePermit {
    fn drop(&mut self) {
        let mut in_use = self.shares.0.in_use.lock();
        in_use.total -= 1;
        for owner in self.owners {
            in_use.owners.subtract(owner, 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many places an app can take.
    fn take_all(shares: &FairShares, workspace: u32, app: u32) -> Vec<SharePermit> {
        let (workspace, app) = (Owner::of(&("workspace", workspace)), Owner::of(&("app", app)));
        std::iter::from_fn(|| shares.take(workspace, app).ok()).collect()
    }

    #[test]
    fn an_app_and_its_workspace_leave_places_to_others() {
        let shares = FairShares::new(64);
        let greedy = take_all(&shares, 1, 1);
        assert_eq!(greedy.len(), 43, "two thirds");
        let sibling = take_all(&shares, 1, 2);
        assert!((4..=8).contains(&sibling.len()), "three quarters of the workspace: {}", sibling.len());
        let others: Vec<_> = (2..5).map(|workspace| take_all(&shares, workspace, 10 + workspace)).collect();
        assert!(
            others.iter().all(|places| !places.is_empty()),
            "{:?}",
            others.iter().map(Vec::len).collect::<Vec<_>>()
        );
        drop(greedy);
        assert!(take_all(&shares, 7, 70).len() > 20, "returned places are free");
    }

    #[test]
    fn every_place_of_a_small_number_can_be_taken_and_no_more() {
        for capacity in [0, 1, 2] {
            let shares = FairShares::new(capacity);
            let taken = take_all(&shares, 1, 1);
            assert_eq!(taken.len(), capacity);
            assert_eq!(shares.take(Owner::of(&2), Owner::of(&2)).err(), Some(NoPlaceError::Full));
        }
    }

    #[test]
    fn owners_without_places_are_forgotten() {
        let shares = FairShares::new(4);
        drop(take_all(&shares, 1, 1));
        assert!(shares.0.in_use.lock().owners.0.is_empty());
    }
}
