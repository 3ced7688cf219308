//! Limits of password attempts (contract section 8). The store in memory runs these rules, the Redis scripts translate
//! them, and one conformance suite tests both.

use std::{fmt::Display, time::Duration};

use super::{caller::ClientAddress, email::fold_email, limit::Quota, secret::sha256_hex};

/// Delays after the first failures that are not free; the last one also follows every further failure.
const DELAYS: [Duration; 4] =
    [Duration::from_mins(1), Duration::from_mins(5), Duration::from_mins(15), Duration::from_hours(1)];
/// Time without a failure after which consecutive failures are forgotten.
pub(crate) const FAILURE_LIFETIME: Duration = Duration::from_hours(24);

/// One limit that an attempt is counted against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginLimit {
    /// What is limited, such as an address. A key has one rule only.
    pub key: String,
    pub rule: LoginRule,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginRule {
    /// Consecutive failures beyond `free` delay the next attempt, longer with each one. A success forgets them.
    Delays {
        free: u32,
        /// The longest delay.
        max_delay: Duration,
    },
    /// At most so many failures in the period, by GCRA. A success changes nothing.
    Failures(Quota),
}

/// The delays of a rule, shortened to its longest delay.
pub(crate) fn delays(max_delay: Duration) -> [Duration; 4] {
    DELAYS.map(|delay| delay.min(max_delay))
}

/// The delay after so many consecutive failures; `None` while they are free.
pub(crate) fn delay_after(failures: u32, free: u32, max_delay: Duration) -> Option<Duration> {
    let index = usize::try_from(failures.checked_sub(free)?).unwrap_or(usize::MAX);
    let delays = delays(max_delay);
    delays.get(index).or(delays.last()).copied()
}

/// The keys of the limits that lock an account: for every client, and for the clients at an address.
pub(crate) fn lock_keys(email: &str, address: Option<ClientAddress>) -> Vec<String> {
    let account = account_part(&fold_email(email));
    let pair = address.map(|address| pair_key(&account, &address.bucket()));
    [account_key(&account)].into_iter().chain(pair).collect()
}

/// What stands for an email address in a key.
pub(crate) fn account_part(email: &str) -> String {
    sha256_hex(email.as_bytes())
}

/// The key of an account's limit for all clients.
pub(crate) fn account_key(account: &str) -> String {
    format!("account:{account}")
}

/// The key of an account's limit for one client.
pub(crate) fn pair_key(account: &str, client: &impl Display) -> String {
    format!("pair:{account}:{client}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_up_to_the_longest_one() {
        let minutes = |failures, max_delay| {
            delay_after(failures, 5, Duration::from_mins(max_delay)).map(|delay| delay.as_secs() / 60)
        };
        let long: Vec<_> = (4..=11).map(|failures| minutes(failures, 1_440)).collect();
        assert_eq!(long, [None, Some(1), Some(5), Some(15), Some(60), Some(60), Some(60), Some(60)]);
        let short: Vec<_> = (4..=9).map(|failures| minutes(failures, 10)).collect();
        assert_eq!(short, [None, Some(1), Some(5), Some(10), Some(10), Some(10)]);
        assert_eq!(minutes(u32::MAX, 1_440), Some(60));
    }
}
