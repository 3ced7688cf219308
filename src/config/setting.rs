//! A setting, and the macro that declares settings.

use std::fmt;

/// An environment variable that configures the server.
#[derive(Debug, PartialEq, Eq)]
pub struct Setting {
    pub name: &'static str,
    /// The heading in `docs/configuration.md`.
    pub section: &'static str,
    /// A sentence in Markdown.
    pub description: &'static str,
    /// The text that is parsed when the variable is not set.
    pub default: Option<&'static str>,
    /// The text that is parsed in its place in `dev`.
    pub dev_default: Option<&'static str>,
    /// What applies when the variable is not set and there is no `default`, in words.
    pub when_unset: Option<&'static str>,
    /// Whether the value is a secret or may contain one. Problems never quote it.
    pub is_secret: bool,
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// `NAME: secret = "default", dev "default in dev";` or `NAME or "what applies when unset";`, in sections.
macro_rules! settings {
    ($($section:literal {$(
        $(#[doc = $description:literal])+
        $name:ident $(: $secret:ident)? $(= $default:literal $(, dev $dev:literal)?)? $(or $when_unset:literal)?;
    )+})+) => {
        $($(
            pub(crate) static $name: Setting = Setting {
                name: stringify!($name),
                section: $section,
                description: concat!($($description),+).trim_ascii(),
                default: last(&[None $(, Some($default))?]),
                dev_default: last(&[None $($(, Some($dev))?)?]),
                when_unset: last(&[None $(, Some($when_unset))?]),
                is_secret: last(&[None $(, Some(stringify!($secret)))?]).is_some(),
            };
        )+)+

        /// Every setting, in the order of the documentation.
        pub static SETTINGS: &[&Setting] = &[$($(&$name,)+)+];
    };
}

pub(super) const fn last(values: &[Option<&'static str>]) -> Option<&'static str> {
    values[values.len() - 1]
}

pub(super) use settings;
