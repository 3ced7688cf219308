//! The connection to Redis: one server, sentinels or a cluster.

use std::fmt;

use url::Url;

use super::{
    client_certificates::{CertificateFiles, read_redis_certificates},
    database::redact_url,
    reader::Reader,
    settings::{self, Setting},
};
use crate::{
    domain::secret::Secret,
    ports::{outgoing_certificates::OutgoingCertificates, redis_topology::RedisTopology},
};

/// Limit of the replicas that confirm a write.
const MAX_WAIT_REPLICAS: u8 = 5;

#[derive(Clone)]
pub struct Redis {
    pub topology: RedisTopology,
    pub certificates: OutgoingCertificates,
    /// What `certificates` were loaded from.
    pub certificate_files: CertificateFiles,
    /// The number of replicas that confirm a write which a failover must not take back; 0 for none.
    pub wait_replicas: u8,
    /// Joined to keys by `:` if it is not empty.
    pub key_prefix: String,
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis")
            .field("topology", &self.redacted())
            .field("wait_replicas", &self.wait_replicas)
            .field("key_prefix", &self.key_prefix)
            .finish_non_exhaustive()
    }
}

impl Redis {
    /// Reads `REDIS_URL`, or the other `REDIS_…` settings. `None`: state stays in the process.
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let sentinel = reader.flag(&settings::REDIS_USE_SENTINEL);
        let cluster = reader.flag(&settings::REDIS_USE_CLUSTERS);
        let wait_replicas = reader.number(&settings::REDIS_WAIT_REPLICAS, 0..=MAX_WAIT_REPLICAS);
        let topology = if let Some(url) = reader.secret(&settings::REDIS_URL) {
            check_url(reader, &url);
            if sentinel || cluster {
                reader.warning(
                    &settings::REDIS_URL,
                    "takes precedence over REDIS_USE_SENTINEL and REDIS_USE_CLUSTERS; remove it to use those",
                );
            }
            RedisTopology::Single { url }
        } else {
            match (sentinel, cluster) {
                (true, true) => {
                    reader.problem(
                        &settings::REDIS_USE_SENTINEL,
                        "and REDIS_USE_CLUSTERS are both true; set one of them to false",
                    );
                    return None;
                }
                (true, false) => read_sentinel(reader)?,
                (false, true) => read_cluster(reader)?,
                (false, false) => read_standalone(reader)?,
            }
        };
        let (certificates, certificate_files) = read_redis_certificates(reader, topology.uses_tls());
        let key_prefix = reader.text(&settings::REDIS_KEY_PREFIX).unwrap_or_default();
        Some(Self { topology, certificates, certificate_files, wait_replicas, key_prefix })
    }

    /// The addresses without passwords.
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
    let parsed = Url::parse(url.expose()).ok();
    let parsed = parsed.filter(|url| matches!(url.scheme(), "redis" | "rediss") && url.has_host());
    let database = parsed.as_ref().map(|url| url.path().trim_matches('/').to_owned());
    if parsed.is_none() {
        reader.problem(
            &settings::REDIS_URL,
            "is not a Redis URL; write one like redis://:password@host:6379/0, percent-encoded",
        );
    } else if database.is_some_and(|text| !text.is_empty() && text.parse::<u16>().is_err()) {
        reader.problem(
            &settings::REDIS_URL,
            "ends with a database that Redis cannot have; write its number after the port, like redis://host:6379/0",
        );
    } else if url.expose().ends_with("#insecure") {
        reader.problem(
            &settings::REDIS_URL,
            "ends with #insecure, which would accept any certificate; remove it, and name the authority of Redis' \
             certificate in REDIS_SSL_CA_CERTS",
        );
    }
}

/// The parts of `redis://user:password@host:port/db` that all nodes share.
struct RedisCredentials {
    username: Option<String>,
    password: Option<Secret>,
    db: u32,
    tls: bool,
}

impl RedisCredentials {
    fn read(reader: &mut Reader<'_>, username: &'static Setting, password: &'static Setting) -> Self {
        Self {
            username: reader.text(username),
            password: reader.secret(password),
            db: reader.number(&settings::REDIS_DB, 0..=65_535),
            tls: reader.flag(&settings::REDIS_USE_SSL),
        }
    }

    /// `None` if `node` is not `host:port`.
    fn url(&self, node: &str) -> Option<Secret> {
        // `Url` keeps the port and percent-encodes credentials because it does not know the scheme.
        let scheme = if self.tls { "rediss" } else { "redis" };
        let mut url = Url::parse(&format!("{scheme}://{node}/{}", self.db)).ok().filter(Url::has_host)?;
        url.set_username(self.username.as_deref().unwrap_or_default()).ok()?;
        url.set_password(self.password.as_ref().map(Secret::expose)).ok()?;
        Some(Secret::new(url.as_str()))
    }

    fn urls(&self, reader: &mut Reader<'_>, setting: &'static Setting) -> Option<Vec<Secret>> {
        let nodes = reader.list(setting);
        if nodes.is_empty() {
            reader.problem(setting, "is not set; write host:port,host:port");
            return None;
        }
        let urls: Option<Vec<_>> =
            nodes.iter().map(|node| if node.contains('@') { None } else { self.url(node) }).collect();
        if urls.is_none() {
            reader.problem(setting, "has an entry that is not host:port; write host:port,host:port");
        }
        urls
    }
}

fn read_standalone(reader: &mut Reader<'_>) -> Option<RedisTopology> {
    let host = reader.text(&settings::REDIS_HOST)?;
    let port = reader.number(&settings::REDIS_PORT, 1..=65_535_u16);
    let node = if host.contains(':') && !host.starts_with('[') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    };
    let url = RedisCredentials::read(reader, &settings::REDIS_USERNAME, &settings::REDIS_PASSWORD).url(&node);
    if url.is_none() {
        reader.problem(&settings::REDIS_HOST, "is not a host name or an IP address; use REDIS_URL for a whole URL");
    }
    url.map(|url| RedisTopology::Single { url })
}

fn read_sentinel(reader: &mut Reader<'_>) -> Option<RedisTopology> {
    let master = RedisCredentials::read(reader, &settings::REDIS_USERNAME, &settings::REDIS_PASSWORD);
    let mut credentials =
        RedisCredentials::read(reader, &settings::REDIS_SENTINEL_USERNAME, &settings::REDIS_SENTINEL_PASSWORD);
    credentials.db = 0;
    let urls = credentials.urls(reader, &settings::REDIS_SENTINELS);
    let Some(service_name) = reader.text(&settings::REDIS_SENTINEL_SERVICE_NAME) else {
        reader
            .problem(&settings::REDIS_SENTINEL_SERVICE_NAME, "is not set; set it to the master's name, often mymaster");
        return None;
    };
    let RedisCredentials { username, password, db, tls } = master;
    Some(RedisTopology::Sentinel { urls: urls?, service_name, username, password, db: db.into(), tls })
}

fn read_cluster(reader: &mut Reader<'_>) -> Option<RedisTopology> {
    let mut credentials = RedisCredentials::read(reader, &settings::REDIS_USERNAME, &settings::REDIS_PASSWORD);
    if credentials.db != 0 {
        reader.problem(
            &settings::REDIS_DB,
            format_args!("is {}, but a cluster has the database 0 only; remove it", credentials.db),
        );
    }
    // Dify has a separate password for clusters.
    credentials.password = reader.secret(&settings::REDIS_CLUSTERS_PASSWORD).or(credentials.password);
    credentials.db = 0;
    credentials.urls(reader, &settings::REDIS_CLUSTERS).map(|urls| RedisTopology::Cluster { urls })
}
