//! Pages of a list (contract section 6).

use super::{
    error::{Error, Result},
    violations::Violations,
};

/// Limit of rows in a page.
pub(crate) const MAX_LIMIT: i32 = 200;

/// A requested page, within range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// Counted from 1.
    pub page: u32,
    /// Rows in a page, 1 to [`MAX_LIMIT`].
    pub limit: u32,
}

impl PageRequest {
    /// Checks the caller's values. Fails with `invalid_param` for those that are out of range.
    pub fn new(page: Option<i32>, limit: Option<i32>, default_limit: u32) -> Result<Self> {
        let mut violations = Violations::default();
        let page = u32::try_from(page.unwrap_or(1)).unwrap_or_default();
        if page == 0 {
            violations.add(Error::invalid_param("query", "page", "must be 1 or more"));
        }
        let limit = limit.map_or(default_limit, |limit| u32::try_from(limit).unwrap_or_default());
        if !(1..=MAX_LIMIT.unsigned_abs()).contains(&limit) {
            violations.add(Error::invalid_param("query", "limit", format!("must be between 1 and {MAX_LIMIT}")));
        }
        violations.finish()?;
        Ok(Self { page, limit })
    }

    /// Number of rows before this page.
    pub fn offset(self) -> u64 {
        u64::from(self.page - 1) * u64::from(self.limit)
    }
}

/// One page of a list.
#[derive(Clone, Debug)]
pub struct Page<T> {
    pub request: PageRequest,
    /// Number of rows of all pages.
    pub total: u64,
    pub data: Vec<T>,
}

impl<T> Page<T> {
    /// Whether a later page has rows.
    pub fn has_more(&self) -> bool {
        self.request.offset() + u64::from(self.request.limit) < self.total
    }
}
