//! Reads settings from variables and collects their problems, so that one start reports all of them.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    str::FromStr,
};

use ipnet::IpNet;

use super::settings::Setting;
use crate::domain::secret::Secret;

/// Returns the value of a variable: of the process environment, or of a map in tests.
pub(crate) type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Reads the process environment. A value that is not UTF-8 counts as unset.
pub(crate) fn process_env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// A fault of the configuration: a sentence with the variable and the fix. It contains no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The variable or command-line option.
    pub variable: String,
    /// Begins with the variable's name.
    pub sentence: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

/// All faults of the configuration. The list is not empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

/// Reads settings one by one. After a bad value the reader records a problem and returns a valid value, so that reading
/// continues.
pub(crate) struct Reader<'a> {
    env: Env<'a>,
    is_dev: bool,
    problems: Vec<Problem>,
    warnings: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(env: Env<'a>) -> Self {
        Self { env, is_dev: false, problems: Vec::new(), warnings: Vec::new() }
    }

    /// Reads with the defaults of `dev`.
    pub(crate) fn for_dev(env: Env<'a>) -> Self {
        Self { is_dev: true, ..Self::new(env) }
    }

    pub(crate) const fn is_dev(&self) -> bool {
        self.is_dev
    }

    /// Records a problem with a setting or a command-line option; `rest` follows its name in the sentence.
    pub(crate) fn problem(&mut self, variable: impl fmt::Display, rest: impl fmt::Display) {
        self.problems.push(Problem { sentence: format!("{variable} {rest}."), variable: variable.to_string() });
    }

    /// Records that a value is allowed but probably a mistake.
    pub(crate) fn warning(&mut self, variable: impl fmt::Display, rest: impl fmt::Display) {
        self.warnings.push(format!("{variable} {rest}."));
    }

    /// Whether a problem was recorded with a variable that has this prefix.
    pub(crate) fn has_problem_with(&self, prefix: &str) -> bool {
        self.problems.iter().any(|problem| problem.variable.starts_with(prefix))
    }

    /// Returns the warnings, or the problems if there are any.
    pub(crate) fn finish(self) -> Result<Vec<String>, Problems> {
        if self.problems.is_empty() { Ok(self.warnings) } else { Err(Problems(self.problems)) }
    }

    /// A variable of the operating system that is not a setting. Trimmed; an empty value counts as unset.
    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        (self.env)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// The given text without the default. Trimmed; an empty value counts as unset, as in Dify's `.env`.
    pub(crate) fn given(&self, setting: &'static Setting) -> Option<String> {
        self.variable(setting.name)
    }

    /// The given text, or the default.
    pub(crate) fn text(&self, setting: &'static Setting) -> Option<String> {
        let dev_default = setting.dev_default.filter(|_| self.is_dev);
        self.given(setting).or_else(|| dev_default.or(setting.default).map(str::to_owned))
    }

    pub(crate) fn secret(&self, setting: &'static Setting) -> Option<Secret> {
        self.text(setting).map(Secret::new)
    }

    /// `true` or `false`, in the spellings that Dify accepts; `false` without a default.
    pub(crate) fn flag(&mut self, setting: &'static Setting) -> bool {
        self.optional_flag(setting).unwrap_or(false)
    }

    pub(crate) fn optional_flag(&mut self, setting: &'static Setting) -> Option<bool> {
        let text = self.text(setting)?;
        match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" | "t" | "y" => Some(true),
            "false" | "0" | "no" | "off" | "f" | "n" => Some(false),
            _ => {
                self.problem(setting, format_args!("is `{text}`; set it to true or false"));
                None
            }
        }
    }

    /// A whole number in a range. The setting has a default.
    pub(crate) fn number<T>(&mut self, setting: &'static Setting, range: RangeInclusive<T>) -> T
    where
        T: FromStr + Ord + Copy + fmt::Display,
    {
        let least = *range.start();
        self.optional_number(setting, range).unwrap_or(least)
    }

    pub(crate) fn optional_number<T>(&mut self, setting: &'static Setting, range: RangeInclusive<T>) -> Option<T>
    where
        T: FromStr + Ord + fmt::Display,
    {
        let text = self.text(setting)?;
        match text.parse() {
            Ok(number) if range.contains(&number) => Some(number),
            _ => {
                let (min, max) = (range.start(), range.end());
                self.problem(setting, format_args!("is `{text}`; set it to a whole number from {min} to {max}"));
                None
            }
        }
    }

    /// A number from 0 to 1. The setting has a default.
    pub(crate) fn share(&mut self, setting: &'static Setting) -> f64 {
        let text = self.text(setting).unwrap_or_default();
        match text.parse() {
            Ok(share) if (0.0..=1.0).contains(&share) => share,
            _ => {
                self.problem(setting, format_args!("is `{text}`; set it to a number from 0 to 1, like 0.25"));
                0.0
            }
        }
    }

    /// The parts of a list with commas, trimmed, without empty parts.
    pub(crate) fn list(&self, setting: &'static Setting) -> Vec<String> {
        let text = self.text(setting).unwrap_or_default();
        text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
    }

    /// A list of networks and addresses with commas; a problem shows `example`.
    pub(crate) fn networks(&mut self, setting: &'static Setting, example: &str) -> Vec<IpNet> {
        let mut networks = Vec::new();
        for part in self.list(setting) {
            match part.parse::<IpNet>().or_else(|_| part.parse::<IpAddr>().map(IpNet::from)) {
                Ok(network) => networks.push(network),
                Err(_) => self.problem(setting, format_args!("contains `{part}`; write {example}")),
            }
        }
        networks
    }

    /// The address of a listener: `address:port`, `:port` for every interface, or `localhost:port`.
    pub(crate) fn listen(&mut self, setting: &'static Setting) -> Option<SocketAddr> {
        let text = self.text(setting)?;
        let address = parse_listen(&text);
        if address.is_none() {
            self.problem(
                setting,
                format_args!("is `{text}`; write an address and a port like 0.0.0.0:5001 or [::]:5001"),
            );
        }
        address
    }

    /// An absolute `http` or `https` URL without credentials.
    pub(crate) fn http_url(&mut self, setting: &'static Setting) -> Option<url::Url> {
        let text = self.text(setting)?;
        match url::Url::parse(&text) {
            Ok(url) if !url.username().is_empty() || url.password().is_some() => {
                self.problem(setting, "contains a user name or password; leave them out of the URL");
                None
            }
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Some(url),
            _ => {
                let shown = text.split(['?', '#']).next().unwrap_or_default();
                // Text that is not a URL may still hold `user:password@`.
                let shown = shown.rsplit('@').next().unwrap_or_default();
                self.problem(
                    setting,
                    format_args!("is `{shown}`; write an absolute URL like https://dify.example.com"),
                );
                None
            }
        }
    }
}

/// Parses `address:port`, `:port` or `localhost:port`.
pub(crate) fn parse_listen(text: &str) -> Option<SocketAddr> {
    if let Some(port) = text.strip_prefix(':') {
        return Some(SocketAddr::from(([0, 0, 0, 0], port.parse().ok()?)));
    }
    if let Some(port) = text.strip_prefix("localhost:") {
        return Some(SocketAddr::from(([127, 0, 0, 1], port.parse().ok()?)));
    }
    text.parse().ok()
}
