//! The generations of difyctl (contract section C1).

/// The generation of the client that calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientGeneration {
    /// difyctl 0.1, and every other client.
    First,
    /// difyctl 0.2 to 1.17.
    Second,
    /// difyctl 1.18 and later, which works from the catalog.
    Third,
}

impl ClientGeneration {
    /// Reads `difyctl/<version> (…)`.
    pub(crate) fn of(user_agent: Option<&str>) -> Self {
        let version = user_agent.and_then(|text| text.strip_prefix("difyctl/"));
        let mut numbers = version.unwrap_or_default().split(|letter: char| !letter.is_ascii_digit());
        let mut number = || numbers.next().and_then(|digits| digits.parse::<u32>().ok());
        match (number(), number()) {
            (Some(0), Some(2..)) | (Some(1), Some(..=17)) => Self::Second,
            (Some(1), Some(18..)) | (Some(2..), _) => Self::Third,
            _ => Self::First,
        }
    }

    /// Whether the client leaves its runs going when it disconnects: Ctrl+C detaches from the run, and `stop` ends it.
    /// The other generations end their run by disconnecting.
    pub(crate) const fn leaves_runs_going(self) -> bool {
        matches!(self, Self::Third)
    }

    /// The version of Dify that the generation works with.
    pub(crate) const fn dify_version(self) -> &'static str {
        match self {
            Self::First => "1.14.2",
            Self::Second => "1.17.1",
            Self::Third => "1.18.0",
        }
    }

    /// The name of the community edition.
    pub(crate) const fn community_edition(self) -> &'static str {
        match self {
            Self::First => "SELF_HOSTED",
            Self::Second | Self::Third => "COMMUNITY",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_agent_names_the_generation() {
        for (user_agent, version) in [
            ("", "1.14.2"),
            ("curl/8.5.0", "1.14.2"),
            ("difyctl/0.1.0-rc.1 (linux; x64; channel=dev)", "1.14.2"),
            ("difyctl/dev (linux; x64)", "1.14.2"),
            ("my difyctl/1.18.0", "1.14.2"),
            ("difyctl/0.2.0-beta (darwin; arm64)", "1.17.1"),
            ("difyctl/1.16.0 (linux; x64)", "1.17.1"),
            ("difyctl/1.17.9", "1.17.1"),
            ("difyctl/1.18.0-rc.2 (linux; x64)", "1.18.0"),
            ("difyctl/1.20.1", "1.18.0"),
            ("difyctl/2.0.0", "1.18.0"),
            ("difyctl/99999999999.0.0", "1.14.2"),
        ] {
            assert_eq!(ClientGeneration::of(Some(user_agent)).dify_version(), version, "{user_agent}");
        }
        assert_eq!(ClientGeneration::of(None), ClientGeneration::First);
    }
}
