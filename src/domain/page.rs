//! Pages of a list (contract section 6).

use super::error::{Error, Result};

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
    /// Checks the caller's values. Fails with `invalid_param` for one that is out of range.
    pub fn new(page: Option<i32>, limit: Option<i32>, default_limit: u32) -> Result<Self> {
        let page = match page {
            None => 1,
            Some(page) => u32::try_from(page)
                .ok()
                .filter(|page| *page >= 1)
                .ok_or_else(|| Error::invalid_param("query", "page", "must be 1 or more"))?,
        };
        let limit = match limit {
            None => default_limit,
            Some(limit) if (1..=MAX_LIMIT).contains(&limit) => limit.unsigned_abs(),
            Some(_) => {
                return Err(Error::invalid_param("query", "limit", format!("must be between 1 and {MAX_LIMIT}")));
            }
        };
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
