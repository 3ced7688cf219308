//! The memory that the process may use: what its cgroup or the machine has, or less.

use std::path::Path;

use super::{reader::Reader, settings::MEMORY_LIMIT_MIB};
use crate::memory::available::{MemorySource, detect};

/// Bytes of a MiB.
const MIB: usize = 1 << 20;
/// With less than this, in MiB, ordinary requests are refused.
const SMALL: usize = 128;

#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// In bytes.
    pub limit: usize,
    /// Where the limit comes from; `None`: from `MEMORY_LIMIT_MIB`.
    pub source: Option<MemorySource>,
}

impl Memory {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self::within(reader, detect(Path::new("/")))
    }

    pub(super) fn within(reader: &mut Reader<'_>, (available, source): (usize, MemorySource)) -> Self {
        let wanted = reader.optional_number(&MEMORY_LIMIT_MIB, 0..=16 << 20).unwrap_or(0) * MIB;
        if wanted > available {
            let available = available / MIB;
            reader.warning(
                &MEMORY_LIMIT_MIB,
                format_args!("is more than there is ({} has {available} MiB)", source.as_str()),
            );
        }
        let is_lower = wanted > 0 && wanted < available;
        let memory = if is_lower {
            Self { limit: wanted, source: None }
        } else {
            Self { limit: available, source: Some(source) }
        };
        if memory.limit < SMALL * MIB {
            let limit = memory.limit / MIB;
            reader.warning(
                &MEMORY_LIMIT_MIB,
                format_args!("or the cgroup allows {limit} MiB; give the process at least {SMALL} MiB"),
            );
        }
        memory
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: usize = 1 << 30;

    /// The memory section within a GiB, and the number of its warnings.
    fn read(variable: Option<&str>, available: usize) -> (Memory, usize) {
        let env = |name: &str| (name == "MEMORY_LIMIT_MIB").then(|| variable.map(str::to_owned)).flatten();
        let mut reader = Reader::new(&env);
        let memory = Memory::within(&mut reader, (available, MemorySource::CgroupV2));
        (memory, reader.finish().unwrap().len())
    }

    #[test]
    fn the_setting_lowers_what_there_is() {
        for (variable, available, limit, source, warnings) in [
            (None, GIB, GIB, Some(MemorySource::CgroupV2), 0),
            (Some("0"), GIB, GIB, Some(MemorySource::CgroupV2), 0),
            (Some("512"), GIB, GIB / 2, None, 0),
            (Some("2048"), GIB, GIB, Some(MemorySource::CgroupV2), 1),
            (Some("64"), GIB, 64 << 20, None, 1),
            (None, 64 << 20, 64 << 20, Some(MemorySource::CgroupV2), 1),
        ] {
            let (memory, warned) = read(variable, available);
            assert_eq!((memory.limit, memory.source, warned), (limit, source, warnings), "{variable:?}");
        }
    }
}
