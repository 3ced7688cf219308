//! Where shared short-lived state is: one Redis, sentinels, a cluster, or nowhere but in the process.

use std::fmt;

use url::Url;

use super::{database::redact_url, reader::Reader};
use crate::{domain::secret::Secret, ports::redis_topology::RedisTopology};

/// The Redis section.
#[derive(Clone)]
pub struct Redis {
    /// How it is reached.
    pub topology: RedisTopology,
    /// `REDIS_KEY_PREFIX`, trimmed; joined to keys by `:` when not empty.
    pub key_prefix: String,
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").field("topology", &self.redacted()).field("key_prefix", &self.key_prefix).finish()
    }
}

impl Redis {
    /// `REDIS_URL`, else the parts `REDIS_*`, else `None`: state stays in the process.
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let sentinel = reader.flag("REDIS_USE_SENTINEL", false);
        let cluster = reader.flag("REDIS_USE_CLUSTERS", false);
        let topology = if let Some(url) = reader.secret("REDIS_URL") {
            check_url(reader, &url);
            if sentinel || cluster {
                reader.warning(
                    "REDIS_URL",
                    "takes precedence over REDIS_USE_SENTINEL and REDIS_USE_CLUSTERS; remove it to use those",
                );
            }
            RedisTopology::Single { url }
        } else {
            match (sentinel, cluster) {
                (true, true) => {
                    reader.problem(
                        "REDIS_USE_SENTINEL",
                        "and REDIS_USE_CLUSTERS are both true; set one of them to false",
                    );
                    return None;
                }
                (true, false) => read_sentinel(reader)?,
                (false, true) => read_cluster(reader)?,
                (false, false) => read_standalone(reader)?,
            }
        };
        Some(Self { topology, key_prefix: reader.text("REDIS_KEY_PREFIX").unwrap_or_default() })
    }

    /// Where it is, without passwords.
    pub fn redacted(&self) -> String {
        let list = |urls: &[Secret]| urls.iter().map(|url| redact_url(url.expose())).collect::<Vec<_>>().join(",");
        match &self.topology {
            RedisTopology::Single { url } => redact_url(url.expose()),
            RedisTopology::Sentinel { urls, service_name, .. } => format!("{service_name} behind {}", list(urls)),
            RedisTopology::Cluster { urls } => format!("cluster {}", list(urls)),
        }
    }
}

fn check_url(reader: &mut Reader<'_>, url: &Secret) {
    let parsed = Url::parse(url.expose());
    if !parsed.is_ok_and(|url| matches!(url.scheme(), "redis" | "rediss") && url.has_host()) {
        reader
            .problem("REDIS_URL", "is not a Redis URL; write one like redis://:password@host:6379/0, percent-encoded");
    }
}

/// What `redis://user:password@host:port/db` is put together from.
struct RedisCredentials {
    username: Option<String>,
    password: Option<Secret>,
    db: u32,
    tls: bool,
}

impl RedisCredentials {
    fn read(reader: &mut Reader<'_>, username: &str, password: &str) -> Self {
        Self {
            username: reader.text(username),
            password: reader.secret(password),
            db: reader.number("REDIS_DB", 0, 0..=65_535),
            tls: reader.flag("REDIS_USE_SSL", false),
        }
    }

    /// The URL of `host:port`, `None` when that is not one.
    fn url(&self, node: &str) -> Option<Secret> {
        // The URL type keeps default ports and percent-encodes credentials only for schemes it does not know.
        let scheme = if self.tls { "rediss" } else { "redis" };
        let mut url = Url::parse(&format!("{scheme}://{node}/{}", self.db)).ok().filter(Url::has_host)?;
        url.set_username(self.username.as_deref().unwrap_or_default()).ok()?;
        url.set_password(self.password.as_ref().map(Secret::expose)).ok()?;
        Some(Secret::new(url.as_str()))
    }

    fn urls(&self, reader: &mut Reader<'_>, variable: &str) -> Option<Vec<Secret>> {
        let nodes = reader.list(variable).unwrap_or_default();
        if nodes.is_empty() {
            reader.problem(variable, "is not set; write host:port,host:port");
            return None;
        }
        let urls: Option<Vec<_>> =
            nodes.iter().map(|node| if node.contains('@') { None } else { self.url(node) }).collect();
        if urls.is_none() {
            reader.problem(variable, "has an entry that is not host:port; write host:port,host:port");
        }
        urls
    }
}

fn read_standalone(reader: &mut Reader<'_>) -> Option<RedisTopology> {
    let host = reader.text("REDIS_HOST")?;
    let port = reader.number("REDIS_PORT", 6379, 1..=65_535);
    let node = if host.contains(':') && !host.starts_with('[') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    };
    let url = RedisCredentials::read(reader, "REDIS_USERNAME", "REDIS_PASSWORD").url(&node);
    if url.is_none() {
        reader.problem("REDIS_HOST", "is not a host name or an IP address; use REDIS_URL for a whole URL");
    }
    url.map(|url| RedisTopology::Single { url })
}

fn read_sentinel(reader: &mut Reader<'_>) -> Option<RedisTopology> {
    let master = RedisCredentials::read(reader, "REDIS_USERNAME", "REDIS_PASSWORD");
    let mut credentials = RedisCredentials::read(reader, "REDIS_SENTINEL_USERNAME", "REDIS_SENTINEL_PASSWORD");
    credentials.db = 0;
    let urls = credentials.urls(reader, "REDIS_SENTINELS");
    let Some(service_name) = reader.text("REDIS_SENTINEL_SERVICE_NAME") else {
        reader.problem("REDIS_SENTINEL_SERVICE_NAME", "is not set; set it to the master's name, often mymaster");
        return None;
    };
    let RedisCredentials { username, password, db, tls } = master;
    Some(RedisTopology::Sentinel { urls: urls?, service_name, username, password, db: db.into(), tls })
}

fn read_cluster(reader: &mut Reader<'_>) -> Option<RedisTopology> {
    let mut credentials = RedisCredentials::read(reader, "REDIS_USERNAME", "REDIS_PASSWORD");
    // Dify has a password of its own for clusters; a cluster has one database.
    credentials.password = reader.secret("REDIS_CLUSTERS_PASSWORD").or(credentials.password);
    credentials.db = 0;
    credentials.urls(reader, "REDIS_CLUSTERS").map(|urls| RedisTopology::Cluster { urls })
}
