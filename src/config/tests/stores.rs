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

    for (missing, rest) in [("REDIS_SENTINELS", &sentinel[..]), ("REDIS_CLUSTERS", &cluster[..])] {
        let rest: Vec<_> = rest.iter().copied().filter(|(name, _)| *name != missing).collect();
        assert!(parts(&rest).unwrap_err().0.iter().any(|problem| problem.variable == missing));
    }
    // One problem, not a second about Redis missing.
    assert_eq!(parts(&[("REDIS_USE_CLUSTERS", "1")]).unwrap_err().0.len(), 1);
    let both = parts(&[("REDIS_USE_SENTINEL", "1"), ("REDIS_USE_CLUSTERS", "1")]).unwrap_err();
    assert!(both.0.iter().any(|problem| problem.variable == "REDIS_USE_SENTINEL"));
}
