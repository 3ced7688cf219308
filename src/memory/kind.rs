//! The kinds of work that have a share of the memory.

/// A kind of work with a share of the memory of its own, so that one kind cannot take the memory of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryKind {
    /// Connections, and the headers and unread answers of their requests.
    Connections,
    /// Bodies that are being received.
    Bodies,
    /// Parsed bodies, and definitions of apps.
    Json,
    /// The blocks of password hashing.
    Hashing,
    /// Runs of apps with their variables.
    Runs,
    /// Renderings of templates.
    Templates,
    /// Events that wait for their reader.
    Events,
    /// Contents of files that are received or served.
    Files,
}

impl MemoryKind {
    pub const ALL: [Self; 8] = [
        Self::Connections,
        Self::Bodies,
        Self::Json,
        Self::Hashing,
        Self::Runs,
        Self::Templates,
        Self::Events,
        Self::Files,
    ];

    /// The word in metrics and in `check-config`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::Bodies => "bodies",
            Self::Json => "json",
            Self::Hashing => "hashing",
            Self::Runs => "runs",
            Self::Templates => "templates",
            Self::Events => "events",
            Self::Files => "files",
        }
    }

    /// The share in hundredths of the memory limit. Together they leave a fifth to what is not counted: the program,
    /// the pools of the stores, caches, and what the allocator has not returned yet.
    pub(super) const fn percent(self) -> usize {
        match self {
            Self::Connections | Self::Runs => 20,
            Self::Json | Self::Hashing => 10,
            Self::Bodies | Self::Templates | Self::Events | Self::Files => 5,
        }
    }

    /// The least limit in bytes, however little memory there is: one password can always be hashed, and one file sent
    /// to S3.
    pub(super) const fn minimum(self) -> usize {
        match self {
            Self::Hashing => 20 << 20,
            Self::Files => 16 << 20,
            _ => 1 << 20,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_leave_a_fifth_to_what_is_not_counted() {
        assert_eq!(MemoryKind::ALL.iter().map(|kind| kind.percent()).sum::<usize>(), 80);
    }

    #[test]
    fn kinds_are_listed_in_the_order_of_their_numbers() {
        for (index, kind) in MemoryKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, index);
        }
    }
}
