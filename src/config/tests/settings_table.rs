//! Every declared setting is read, and printed by `check-config`.

use std::{cell::RefCell, collections::BTreeSet};

use super::{settings::SETTINGS, *};

/// The variables that are requested while the configuration is read.
fn requested_variables(pairs: Pairs) -> BTreeSet<String> {
    let requested = RefCell::new(BTreeSet::new());
    let env = map(pairs);
    let record = |name: &str| {
        requested.borrow_mut().insert(name.to_owned());
        env.get(name).cloned()
    };
    // Problems do not matter here: reading continues after them.
    let _ = Config::for_serve(&record);
    requested.into_inner()
}

#[test]
fn every_setting_is_read_and_every_variable_is_a_setting() {
    let environments: [Pairs; 5] = [
        &[("DB_HOST", "db"), ("REDIS_HOST", "redis"), ("ENABLE_OTEL", "true")],
        &[("REDIS_USE_SENTINEL", "true")],
        &[("REDIS_USE_CLUSTERS", "true")],
        &[("STORAGE_TYPE", "s3"), ("PLUGIN_DAEMON_URL", "http://daemon:5002")],
        &[("HOME", "/home/ada")],
    ];
    let mut requested: BTreeSet<String> = environments.into_iter().flat_map(requested_variables).collect();
    for name in ["HOME", "XDG_DATA_HOME"].into_iter().chain(otel_variables::names()) {
        assert!(requested.remove(name), "{name}");
    }
    let declared: BTreeSet<String> = SETTINGS.iter().map(ToString::to_string).collect();
    assert_eq!(requested, declared);
    assert_eq!(declared.len(), SETTINGS.len(), "a setting is declared twice");
}

/// Settings whose effect another row shows.
const PARTS: &[(&str, &[&str])] = &[
    ("DATABASE_URL", &["DB_TYPE", "DB_HOST", "DB_PORT", "DB_USERNAME", "DB_PASSWORD", "DB_DATABASE"]),
    (
        "REDIS_URL",
        &[
            "REDIS_HOST",
            "REDIS_PORT",
            "REDIS_USERNAME",
            "REDIS_PASSWORD",
            "REDIS_DB",
            "REDIS_USE_SSL",
            "REDIS_SSL_CA_CERTS",
            "REDIS_SSL_CERTFILE",
            "REDIS_SSL_KEYFILE",
            "REDIS_SSL_CERT_REQS",
            "REDIS_USE_SENTINEL",
            "REDIS_SENTINELS",
            "REDIS_SENTINEL_SERVICE_NAME",
            "REDIS_SENTINEL_USERNAME",
            "REDIS_SENTINEL_PASSWORD",
            "REDIS_USE_CLUSTERS",
            "REDIS_CLUSTERS",
            "REDIS_CLUSTERS_PASSWORD",
        ],
    ),
    ("SSL_CERT_FILE", &["SSL_CERT_DIR"]),
    ("SSL_CLIENT_CERT_FILE", &["SSL_CLIENT_KEY_FILE"]),
    (
        "OPENAPI_RATE_LIMITS",
        &["OPENAPI_RATE_LIMIT_PER_TOKEN", "DEVICE_FLOW_APPROVE_RATE_LIMIT_PER_HOUR", "LOGIN_LOCKOUT_DURATION"],
    ),
    (
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        &[
            "OTEL_SDK_DISABLED",
            "OTLP_BASE_ENDPOINT",
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "OTEL_EXPORTER_OTLP_PROTOCOL",
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
            "OTEL_EXPORTER_OTLP_TIMEOUT",
            "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
            "OTEL_EXPORTER_OTLP_CERTIFICATE",
            "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
            "OTEL_EXPORTER_OTLP_CLIENT_KEY",
            "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE",
            "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE",
            "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY",
            "OTEL_TRACES_EXPORTER",
            "OTEL_TRACES_SAMPLER",
            "OTEL_LOGS_EXPORTER",
            "OTEL_PROPAGATORS",
            "OTEL_BSP_MAX_QUEUE_SIZE",
        ],
    ),
    (
        "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
        &[
            "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL",
            "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT",
            "OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE",
            "OTEL_EXPORTER_OTLP_METRICS_CLIENT_CERTIFICATE",
            "OTEL_EXPORTER_OTLP_METRICS_CLIENT_KEY",
            "OTEL_METRICS_EXPORTER",
            "OTEL_METRICS_EXEMPLAR_FILTER",
        ],
    ),
];

#[test]
fn check_config_prints_every_setting_or_the_one_it_is_part_of() {
    let config = serve(&[]).unwrap();
    let printed: BTreeSet<&str> = config.describe().iter().map(|(setting, _)| setting.name).collect();
    let of_parts = |(whole, parts): &(&'static str, &'static [&'static str])| {
        assert!(printed.contains(whole), "{whole}");
        parts.iter().copied()
    };
    let parts: BTreeSet<&str> = PARTS.iter().flat_map(of_parts).collect();
    assert_eq!(printed.intersection(&parts).count(), 0, "a printed setting is listed as a part");
    let shown: BTreeSet<&str> = printed.union(&parts).copied().collect();
    assert_eq!(shown, SETTINGS.iter().map(|setting| setting.name).collect());
}

#[test]
fn defaults_of_single_limits_are_those_of_the_contract() {
    let limits = serve(&[]).unwrap().limits;
    for name in LimitName::ALL {
        assert_eq!(limits.quota(*name), name.default_quota(), "{}", name.as_str());
    }
}

#[test]
fn every_setting_has_a_section_and_a_sentence() {
    for setting in SETTINGS {
        assert!(setting.description.ends_with('.'), "{setting}: {}", setting.description);
        assert!(!setting.section.is_empty());
        assert!(setting.default.is_none() || setting.when_unset.is_none(), "{setting} has two defaults");
    }
}
