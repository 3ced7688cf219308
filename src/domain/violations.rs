//! Collects the faults of a request, so that its sender gets all of them at once.

use super::error::{Error, Result};

/// Limit of collected faults. A request can have thousands.
const MAX_COLLECTED: usize = 20;

#[derive(Default)]
pub(crate) struct Violations {
    error: Option<Error>,
    count: usize,
}

impl Violations {
    pub(crate) fn add(&mut self, error: Error) {
        self.count += 1;
        if self.count <= MAX_COLLECTED {
            self.error = Some(match self.error.take() {
                None => error,
                Some(first) => first.and(error),
            });
        }
    }

    /// Fails with the collected faults.
    pub(crate) fn finish(self) -> Result<()> {
        self.error.map_or(Ok(()), Err)
    }
}

/// Both values, or the faults of both.
pub(crate) fn both<A, B>(first: Result<A>, second: Result<B>) -> Result<(A, B)> {
    match (first, second) {
        (Ok(first), Ok(second)) => Ok((first, second)),
        (Err(first), Err(second)) => Err(first.and(second)),
        (Err(error), Ok(_)) | (Ok(_), Err(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Code;

    #[test]
    fn faults_are_collected_up_to_the_limit() {
        let mut violations = Violations::default();
        for name in ["page", "limit"] {
            violations.add(Error::invalid_param("query", name, "must be 1"));
        }
        let error = violations.finish().unwrap_err();
        assert_eq!((error.code(), error.message()), (Code::InvalidParam, "page: must be 1; limit: must be 1"));
        assert_eq!(error.details().len(), 2);
        assert!(Violations::default().finish().is_ok());
        assert_eq!(both(Ok(1), Ok(2)).unwrap(), (1, 2));
        let both = both(Err::<(), _>(Error::missing("a")), Err::<(), _>(Error::missing("b"))).unwrap_err();
        assert_eq!(both.details().len(), 2);
        let mut many = Violations::default();
        (0..1_000).for_each(|_| many.add(Error::missing("a")));
        assert_eq!(many.finish().unwrap_err().details().len(), MAX_COLLECTED);
    }
}
