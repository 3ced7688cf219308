//! Answers that one process keeps for a while.

use std::{collections::HashMap, hash::Hash};

use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::Mutex;

/// Limit of answers. Reaching it forgets all of them, which costs one question each.
const MAX_ANSWERS: usize = 10_000;

pub(super) struct RecentAnswers<K, V> {
    lifetime: TimeDelta,
    answers: Mutex<HashMap<K, (V, DateTime<Utc>)>>,
}

impl<K: Eq + Hash, V: Clone> RecentAnswers<K, V> {
    pub(super) fn new(lifetime: TimeDelta) -> Self {
        Self { lifetime, answers: Mutex::default() }
    }

    pub(super) fn get(&self, key: &K, now: DateTime<Utc>) -> Option<V> {
        let answers = self.answers.lock();
        let (value, since) = answers.get(key)?;
        // A clock that was set back ends the lifetime, too.
        (*since <= now && now - *since < self.lifetime).then(|| value.clone())
    }

    pub(super) fn put(&self, key: K, value: V, now: DateTime<Utc>) {
        let mut answers = self.answers.lock();
        if answers.len() >= MAX_ANSWERS && !answers.contains_key(&key) {
            answers.clear();
        }
        answers.insert(key, (value, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answer_is_kept_for_its_lifetime() {
        let (start, answers) = (DateTime::UNIX_EPOCH, RecentAnswers::new(TimeDelta::seconds(60)));
        assert_eq!(answers.get(&1, start), None);
        answers.put(1, 'a', start);
        assert_eq!(answers.get(&1, start + TimeDelta::seconds(59)), Some('a'));
        assert_eq!(answers.get(&1, start + TimeDelta::seconds(60)), None);
        assert_eq!(answers.get(&1, start - TimeDelta::seconds(1)), None);
    }

    #[test]
    fn number_of_answers_is_limited() {
        let answers = RecentAnswers::new(TimeDelta::seconds(60));
        for key in 0..=MAX_ANSWERS {
            answers.put(key, (), DateTime::UNIX_EPOCH);
        }
        assert_eq!(answers.answers.lock().len(), 1);
    }
}
