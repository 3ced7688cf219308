//! The database and Redis, from their URLs and from Dify's parts.

use super::*;

#[test]
fn database_is_read_from_its_url_or_from_the_parts_of_dify() {
    let parts = |pairs: &[(&str, &str)]| {
        let mut all = vec![("DATABASE_URL", "")];
        all.extend_from_slice(pairs);
        serve(&all).unwrap().database.url.expose().to_owned()
    };
    let given = [("DB_HOST", "db"), ("DB_USERNAME", "dify"), ("DB_PASSWORD", "p@ss/wörd:%"), ("DB_DATABASE", "main")];
    assert_eq!(parts(&given), "postgres://dify:p%40ss%2Fw%C3%B6rd%3A%@db:5432/main");
    assert_eq!(parts(&[("DB_TYPE", "mysql"), ("DB_HOST", "::1"), ("DB_PORT", "3307")]), "mysql://root@[::1]:3307/dify");
    let both = serve(&[("DATABASE_URL", "postgresql+psycopg2://a@url/x"), ("DB_HOST", "parts")]).unwrap();
    assert_eq!(both.database.url.expose(), "postgres://a@url/x");
}

#[test]
fn redis_is_read_from_its_url_or_from_the_parts_of_dify() {
    let parts = |pairs: &[(&str, &str)]| {
        let mut all = vec![("REDIS_URL", "")];
        all.extend_from_slice(pairs);
        serve(&all).map(|config| config.redis.unwrap())
    };
    let one = parts(&[("REDIS_HOST", "r"), ("REDIS_PASSWORD", "a/b@c"), ("REDIS_DB", "2"), ("REDIS_USE_SSL", "true")])
        .unwrap();
    let RedisTopology::Single { url } = &one.topology else { panic!("{one:?}") };
    assert_eq!(url.expose(), "rediss://:a%2Fb%40c@r:6379/2");

    let sentinel = [
        ("REDIS_USE_SENTINEL", "true"),
        ("REDIS_SENTINELS", "s1:26379, s2:26379"),
        ("REDIS_SENTINEL_SERVICE_NAME", "mymaster"),
        ("REDIS_PASSWORD", "pw"),
        ("REDIS_DB", "4"),
        ("REDIS_KEY_PREFIX", "  dify "),
    ];
    let redis = parts(&sentinel).unwrap();
    assert_eq!(redis.key_prefix, "dify");
    let RedisTopology::Sentinel { urls, service_name, password, db, .. } = &redis.topology else { panic!("{redis:?}") };
    assert_eq!((urls.len(), service_name.as_str(), *db), (2, "mymaster", 4));
    assert_eq!((urls[0].expose(), password.as_ref().unwrap().expose()), ("redis://s1:26379/0", "pw"));

    let cluster = [("REDIS_USE_CLUSTERS", "true"), ("REDIS_CLUSTERS", "c1:1,c2:2"), ("REDIS_CLUSTERS_PASSWORD", "pw")];
    let redis = parts(&cluster).unwrap();
    let RedisTopology::Cluster { urls } = &redis.topology else { panic!("{redis:?}") };
    assert_eq!(
        urls.iter().map(crate::domain::secret::Secret::expose).collect::<Vec<_>>(),
        ["redis://:pw@c1:1/0", "redis://:pw@c2:2/0"]
    );

    // IPv6 literals, with and without brackets where there is no port beside them.
    for (host, read) in [("::1", "[::1]"), ("[fd00::7]", "[fd00::7]")] {
        let RedisTopology::Single { url } = parts(&[("REDIS_HOST", host)]).unwrap().topology else { panic!("{host}") };
        assert_eq!(url.expose(), format!("redis://{read}:6379/0"));
    }
    let nodes = [("REDIS_USE_CLUSTERS", "true"), ("REDIS_CLUSTERS", "[::1]:1,[fd00::7]:2")];
    let RedisTopology::Cluster { urls } = parts(&nodes).unwrap().topology else { panic!("no cluster") };
    assert_eq!([urls[0].expose(), urls[1].expose()], ["redis://[::1]:1/0", "redis://[fd00::7]:2/0"]);

    for (missing, rest) in [("REDIS_SENTINELS", &sentinel[..]), ("REDIS_CLUSTERS", &cluster[..])] {
        let rest: Vec<_> = rest.iter().copied().filter(|(name, _)| *name != missing).collect();
        assert!(parts(&rest).unwrap_err().0.iter().any(|problem| problem.variable == missing));
    }
    let database = parts(&[("REDIS_USE_CLUSTERS", "1"), ("REDIS_CLUSTERS", "c:1"), ("REDIS_DB", "3")]).unwrap_err();
    assert!(database.0.len() == 1 && database.0[0].sentence.starts_with("REDIS_DB is 3"), "{database}");
    // One problem, not a second about Redis missing.
    assert_eq!(parts(&[("REDIS_USE_CLUSTERS", "1")]).unwrap_err().0.len(), 1);
    let both = parts(&[("REDIS_USE_SENTINEL", "1"), ("REDIS_USE_CLUSTERS", "1")]).unwrap_err();
    assert!(both.0.iter().any(|problem| problem.variable == "REDIS_USE_SENTINEL"));
}

/// The parts of addresses that are IPv6 literals, and whole URLs with them.
#[test]
fn ipv6_literals_are_accepted_in_every_address() {
    let redis = |pairs: &[(&str, &str)]| serve(pairs).unwrap().redis.unwrap().redacted();
    assert_eq!(redis(&[("REDIS_URL", "redis://[::1]:6380/1")]), "redis://[::1]:6380/1");
    for host in ["fd00::7", "[fd00::7]"] {
        assert_eq!(redis(&[("REDIS_URL", ""), ("REDIS_HOST", host)]), "redis://[fd00::7]:6379/0");
    }
    let sentinels = [("REDIS_SENTINELS", "[fd00::1]:26379,[fd00::2]:26379"), ("REDIS_SENTINEL_SERVICE_NAME", "m")];
    let sentinel = redis(&[&[("REDIS_URL", ""), ("REDIS_USE_SENTINEL", "true")], &sentinels[..]].concat());
    assert_eq!(sentinel, "m behind redis://[fd00::1]:26379/0,redis://[fd00::2]:26379/0");
    let cluster = [("REDIS_URL", ""), ("REDIS_USE_CLUSTERS", "true"), ("REDIS_CLUSTERS", "[fd00::1]:6379")];
    assert_eq!(redis(&cluster), "cluster redis://[fd00::1]:6379/0");

    for (name, value) in [
        ("LISTEN", "[::]:5001"),
        ("ADMIN_LISTEN", "[::1]:5002"),
        ("DIFY_API_URL", "http://[fd00::1]:5001/"),
        ("OPENAI_BASE_URL", "http://[fd00::1]:11434/v1"),
        ("CONSOLE_WEB_URL", "https://[fd00::1]:8443"),
        ("TRUSTED_PROXIES", "fd00::/8"),
        ("DATABASE_URL", "postgres://u:p@[::1]:5433/dify"),
        ("DATABASE_URL", "mysql://u:p@[::1]:3307/dify"),
    ] {
        let config = serve(&[(name, value)]).unwrap_or_else(|problems| panic!("{problems}"));
        let described = config.describe();
        let (_, shown) = described.iter().find(|(setting, _)| setting.name == name).unwrap();
        assert_eq!(*shown, value.replace(":p@", ":***@"), "{name}");
    }
}
