//! Several hosts in one URL of PostgreSQL, as libpq reads it:
//! `postgres://user:password@host1:5432,host2/database?target_session_attrs=read-write`.

use super::secret::Secret;

/// The parameter that says what a host has to be.
const TARGET: &str = "target_session_attrs";

/// The hosts of a URL, in its order.
#[derive(Clone, Debug)]
pub(crate) struct PostgresHosts {
    /// One URL for each host, without `target_session_attrs`.
    pub urls: Vec<Secret>,
    /// Whether a host has to accept writes.
    pub needs_primary: bool,
}

/// Why hosts cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HostsError {
    #[error("has an empty host; write host1:5432,host2:5432")]
    EmptyHost,
    #[error("has another target_session_attrs than read-write, primary and any; this service writes")]
    Target,
}

impl PostgresHosts {
    pub(crate) fn parse(url: &str) -> Result<Self, HostsError> {
        let (scheme, rest) = url.split_once("://").unwrap_or(("postgres", url));
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let (user, hosts) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
        let (mut others, mut needs_primary) = (Vec::new(), false);
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            match parameter.split_once('=') {
                Some((TARGET, "any")) => {}
                Some((TARGET, "read-write" | "primary")) => needs_primary = true,
                Some((TARGET, _)) => return Err(HostsError::Target),
                _ => others.push(parameter),
            }
        }
        let query = if others.is_empty() { String::new() } else { format!("?{}", others.join("&")) };
        let of_host = |host: &str| match host {
            "" => Err(HostsError::EmptyHost),
            host => Ok(Secret::new(format!("{scheme}://{user}{host}{path}{query}"))),
        };
        let urls = if hosts.is_empty() {
            vec![Secret::new(format!("{scheme}://{user}{path}{query}"))]
        } else {
            hosts.split(',').map(of_host).collect::<Result<_, _>>()?
        };
        Ok(Self { urls, needs_primary })
    }

    /// Whether a host has to be chosen.
    pub(crate) fn is_choice(&self) -> bool {
        self.urls.len() > 1 || self.needs_primary
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> (Vec<String>, bool) {
        let hosts = PostgresHosts::parse(url).unwrap();
        (hosts.urls.iter().map(|url| url.expose().to_owned()).collect(), hosts.needs_primary)
    }

    #[test]
    fn each_host_gets_a_url_with_the_other_parts() {
        assert_eq!(
            parse("postgres://u:p%40q@a:5432,b,[::1]:6432/db?sslmode=require&target_session_attrs=read-write&x=1"),
            (
                vec![
                    "postgres://u:p%40q@a:5432/db?sslmode=require&x=1".to_owned(),
                    "postgres://u:p%40q@b/db?sslmode=require&x=1".to_owned(),
                    "postgres://u:p%40q@[::1]:6432/db?sslmode=require&x=1".to_owned(),
                ],
                true
            )
        );
        let single = "postgres://u@h/db";
        assert_eq!(parse(single), (vec![single.to_owned()], false));
        assert_eq!(parse("postgres://h/db?target_session_attrs=any"), (vec!["postgres://h/db".to_owned()], false));
        assert!(!PostgresHosts::parse(single).unwrap().is_choice());
        assert!(PostgresHosts::parse("postgres://h/db?target_session_attrs=primary").unwrap().is_choice());
    }

    #[test]
    fn hosts_that_cannot_be_used_are_refused() {
        for (url, expected) in [
            ("postgres://a,,b/db", HostsError::EmptyHost),
            ("postgres://a,b/db?target_session_attrs=standby", HostsError::Target),
            ("postgres://a,b/db?target_session_attrs=", HostsError::Target),
        ] {
            assert_eq!(PostgresHosts::parse(url).unwrap_err(), expected, "{url}");
        }
    }
}
