//! Reads variables and collects what is wrong with them, so that one start names every fault at once.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    str::FromStr,
};

use ipnet::IpNet;

use crate::domain::secret::Secret;

/// Where variables come from: the process environment, or a map in tests.
pub(crate) type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The process environment. Values that are not UTF-8 count as unset.
pub(crate) fn process_env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// One thing wrong with the configuration: a sentence that names the variable and the fix, and no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The variable (or command-line flag) at fault.
    pub variable: String,
    /// What is wrong and what to do, beginning with the variable's name.
    pub sentence: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

/// Everything wrong with the configuration, never empty.
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

/// Reads variables one by one. A bad value is noted and its default taken, so that reading goes on to the next.
pub(crate) struct Reader<'a> {
    env: Env<'a>,
    problems: Vec<Problem>,
    warnings: Vec<String>,
}

impl<'a> Reader<'a> {
    /// A reader of this source.
    pub(crate) fn new(env: Env<'a>) -> Self {
        Self { env, problems: Vec::new(), warnings: Vec::new() }
    }

    /// Notes a problem; `rest` follows the variable's name in the sentence.
    pub(crate) fn problem(&mut self, variable: &str, rest: impl fmt::Display) {
        self.problems.push(Problem { variable: variable.to_owned(), sentence: format!("{variable} {rest}.") });
    }

    /// Notes something that is allowed but probably not meant.
    pub(crate) fn warning(&mut self, variable: &str, rest: impl fmt::Display) {
        self.warnings.push(format!("{variable} {rest}."));
    }

    /// Whether a problem was noted with a variable whose name begins so.
    pub(crate) fn has_problem_with(&self, prefix: &str) -> bool {
        self.problems.iter().any(|problem| problem.variable.starts_with(prefix))
    }

    /// The warnings, when there was no problem.
    pub(crate) fn finish(self) -> Result<Vec<String>, Problems> {
        if self.problems.is_empty() { Ok(self.warnings) } else { Err(Problems(self.problems)) }
    }

    /// The variable's text, trimmed. Empty counts as unset, as in Dify's own `.env`.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        (self.env)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// A secret, which no problem ever quotes.
    pub(crate) fn secret(&self, name: &str) -> Option<Secret> {
        self.text(name).map(Secret::new)
    }

    /// `true` or `false`, in the spellings Dify takes.
    pub(crate) fn flag(&mut self, name: &str, default: bool) -> bool {
        self.optional_flag(name).unwrap_or(default)
    }

    /// `true`, `false` or unset.
    pub(crate) fn optional_flag(&mut self, name: &str) -> Option<bool> {
        let text = self.text(name)?;
        match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" | "t" | "y" => Some(true),
            "false" | "0" | "no" | "off" | "f" | "n" => Some(false),
            _ => {
                self.problem(name, format_args!("is `{text}`; set it to true or false"));
                None
            }
        }
    }

    /// A whole number within a range.
    pub(crate) fn number<T>(&mut self, name: &str, default: T, range: RangeInclusive<T>) -> T
    where
        T: FromStr + Ord + fmt::Display,
    {
        let Some(text) = self.text(name) else { return default };
        match text.parse() {
            Ok(number) if range.contains(&number) => number,
            _ => {
                let (least, most) = (range.start(), range.end());
                self.problem(name, format_args!("is `{text}`; set it to a whole number from {least} to {most}"));
                default
            }
        }
    }

    /// A share of the whole.
    pub(crate) fn share(&mut self, name: &str, default: f64) -> f64 {
        let Some(text) = self.text(name) else { return default };
        match text.parse() {
            Ok(share) if (0.0..=1.0).contains(&share) => share,
            _ => {
                self.problem(name, format_args!("is `{text}`; set it to a number from 0 to 1, like 0.25"));
                default
            }
        }
    }

    /// The parts of a comma list, trimmed, without empty ones; `None` when the variable is unset.
    pub(crate) fn list(&self, name: &str) -> Option<Vec<String>> {
        let text = self.text(name)?;
        Some(text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect())
    }

    /// A comma list of networks, single addresses included; `example` is what a problem shows.
    pub(crate) fn networks(&mut self, name: &str, example: &str) -> Vec<IpNet> {
        let mut networks = Vec::new();
        for part in self.list(name).unwrap_or_default() {
            match part.parse::<IpNet>().or_else(|_| part.parse::<IpAddr>().map(IpNet::from)) {
                Ok(network) => networks.push(network),
                Err(_) => self.problem(name, format_args!("contains `{part}`; write {example}")),
            }
        }
        networks
    }

    /// A listening address: `host:port` with an IP address, `:port` for every interface, `localhost:port`.
    pub(crate) fn listen(&mut self, name: &str) -> Option<SocketAddr> {
        let text = self.text(name)?;
        let address = parse_listen(&text);
        if address.is_none() {
            self.problem(name, format_args!("is `{text}`; write an address and a port like 0.0.0.0:5001 or [::]:5001"));
        }
        address
    }

    /// An absolute http or https URL without credentials.
    pub(crate) fn http_url(&mut self, name: &str) -> Option<url::Url> {
        let text = self.text(name)?;
        match url::Url::parse(&text) {
            Ok(url) if !url.username().is_empty() || url.password().is_some() => {
                self.problem(name, "contains a user name or password; leave them out of the URL");
                None
            }
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Some(url),
            _ => {
                let shown = text.split(['?', '#']).next().unwrap_or_default();
                // Text that is not a URL may still hold `user:password@`.
                let shown = shown.rsplit('@').next().unwrap_or_default();
                self.problem(name, format_args!("is `{shown}`; write an absolute URL like https://dify.example.com"));
                None
            }
        }
    }
}

/// Reads `host:port`, `:port` or `localhost:port`.
pub(crate) fn parse_listen(text: &str) -> Option<SocketAddr> {
    if let Some(port) = text.strip_prefix(':') {
        return Some(SocketAddr::from(([0, 0, 0, 0], port.parse().ok()?)));
    }
    if let Some(port) = text.strip_prefix("localhost:") {
        return Some(SocketAddr::from(([127, 0, 0, 1], port.parse().ok()?)));
    }
    text.parse().ok()
}
