//! File descriptors that are kept for one listener, so that it accepts connections while all others are used up.

use std::{
    fs::File,
    io::{Error as IoError, Result as IoResult},
};

use parking_lot::Mutex;

/// Errors of `accept` when the process, or the system, has no descriptor left.
const EMFILE: i32 = 24;
const ENFILE: i32 = 23;

/// A number of descriptors that are open and not used.
#[derive(Debug)]
pub(crate) struct DescriptorReserve {
    count: usize,
    files: Mutex<Vec<File>>,
}

impl DescriptorReserve {
    pub(crate) fn new(count: usize) -> IoResult<Self> {
        let files = (0..count).map(|_| placeholder()).collect::<IoResult<_>>()?;
        Ok(Self { count, files: Mutex::new(files) })
    }

    /// Closes one after an error for want of descriptors. Returns whether one is free now, unless another part of the
    /// process takes it.
    pub(super) fn release(&self, error: &IoError) -> bool {
        matches!(error.raw_os_error(), Some(EMFILE | ENFILE)) && self.files.lock().pop().is_some()
    }

    /// Opens those again that were released, as far as there are descriptors.
    pub(super) fn refill(&self) {
        let mut files = self.files.lock();
        while files.len() < self.count {
            let Ok(file) = placeholder() else { return };
            files.push(file);
        }
    }
}

fn placeholder() -> IoResult<File> {
    File::open("/dev/null")
}
