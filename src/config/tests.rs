use std::{collections::BTreeMap, time::Duration};

use super::{cors::AllowOrigins, *};
use crate::{
    domain::limit::{LimitName, Quota},
    ports::redis_topology::RedisTopology,
};

mod data_dir;
mod settings_table;
mod single_sign_on;
mod stores;

const KEY: &str = "q8Zr1vYwT0m5uJx3nKc7bPd9sLf2hGa4eWiXoRtN";

const TWO_KEYS_OF_ONE_NAME: &str = "a:q8Zr1vYwT0m5uJx3nKc7bPd9sLf2hGa4eWiXoRtN,a:WiXoRtNq8Zr1vYwT0m5uJx3nKc7bPd9sLf2h";

type Pairs<'a> = &'a [(&'a str, &'a str)];

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn source(map: &BTreeMap<String, String>) -> impl Fn(&str) -> Option<String> + '_ {
    |name| map.get(name).cloned()
}

/// A complete environment, changed by `pairs`.
fn serve(pairs: &[(&str, &str)]) -> Result<Config, Problems> {
    let mut env = map(&[
        ("SECRET_KEY", KEY),
        ("CONSOLE_WEB_URL", "https://dify.example.com"),
        ("DATABASE_URL", "postgres://dify:hunter2@db:5432/dify"),
        ("REDIS_URL", "redis://:hunter2@redis:6379/3"),
    ]);
    env.extend(map(pairs));
    Config::for_serve(&source(&env))
}

fn sentences(result: Result<Config, Problems>) -> Vec<String> {
    result.err().map(|problems| problems.0.into_iter().map(|problem| problem.sentence).collect()).unwrap_or_default()
}

#[test]
fn complete_environment_has_no_problem_and_no_warning() {
    let config = serve(&[]).unwrap();
    assert_eq!(config.warnings, Vec::<String>::new());
    assert_eq!(config.urls.issuer(), "https://dify.example.com");
    assert_eq!(config.listeners.public.to_string(), "0.0.0.0:5001");
    assert_eq!(config.listeners.admin.unwrap().to_string(), "127.0.0.1:5002");
    assert_eq!(config.oauth.token_lifetime, Duration::from_hours(14 * 24));
    assert_eq!(config.oauth.known_client_ids, ["difyctl"]);
    assert_eq!(config.console.access_lifetime, Duration::from_hours(1));
    assert_eq!(config.deployment.dify_version, None);
    assert!(config.oauth.bearer_enabled && config.oauth.clean_enabled && config.oauth.verification_uri_complete);
    assert!(!config.uses_data_dir());
}

/// The problem of every bad value contains its variable and its fix.
#[test]
fn each_bad_variable_is_named_with_its_fix() {
    let table: &[(&str, &str, &str)] = &[
        ("SECRET_KEY", "", "openssl rand"),
        ("SECRET_KEY", "short-but-secret-1", "openssl rand"),
        ("SECRET_KEY", "sk-9f73s3ljTXVcMT3Blb3ljTqtsKiGHXVcMT3BlbkFJLK7U", "well-known sample"),
        ("SECRET_KEY", "dev-secret-key", "well-known sample"),
        ("SECRET_KEYS_PREVIOUS", "only-a-secret-4711", "kid:secret"),
        ("SECRET_KEY", "passwordpasswordpasswordpassword", "easy to guess"),
        ("SECRET_KEYS_PREVIOUS", TWO_KEYS_OF_ONE_NAME, "its own name"),
        ("SECRET_KEYS_PREVIOUS", "old:sk-9f73s3ljTXVcMT3Blb3ljTqtsKiGHXVcMT3BlbkFJLK7U", "remove it"),
        ("SECRET_KEYS_PREVIOUS", "old:short", "remove it"),
        ("SECRET_KEYS_PREVIOUS", "old:0123456789012345678901234567890123456789", "easy to guess"),
        ("SECRET_KEY_NEXT", "short", "openssl rand"),
        ("SECRET_KEY_NEXT", KEY, "SECRET_KEY itself"),
        ("SECRET_KEY_ROTATED_AT", "yesterday", "2026-11-20T08:00:00Z"),
        ("SECRET_KEY_ROTATED_AT", "2999-01-01T00:00:00Z", "when SECRET_KEY was replaced"),
        ("INNER_API_KEY", "fifteen bytes 1", "openssl rand"),
        ("INNER_API_KEY", "aaaaaaaaaaaaaaaaaaaaaaaa", "easy to guess"),
        ("INNER_API_KEY", "changeme", "openssl rand"),
        ("CONSOLE_WEB_URL", "", "https://dify.example.com"),
        ("CONSOLE_WEB_URL", "dify.example.com", "absolute URL"),
        ("CONSOLE_WEB_URL", "ftp://dify.example.com", "absolute URL"),
        ("CONSOLE_WEB_URL", "https://dify.example.com/console", "host and port only"),
        ("CONSOLE_WEB_URL", "https://user:pw@dify.example.com", "leave them out"),
        ("CONSOLE_API_URL", "/console/api", "absolute URL"),
        ("COOKIE_DOMAIN", "other.example.org", "leave it empty"),
        ("LISTEN", "5001", "0.0.0.0:5001"),
        ("LISTEN", "dify.example.com:80", "0.0.0.0:5001"),
        ("ADMIN_LISTEN", ":5001", "another port"),
        ("GRPC_LISTEN", "nowhere", "0.0.0.0:5001"),
        ("INNER_LISTEN", "127.0.0.1:5002", "another port"),
        ("TLS_CERT_FILE", "/nowhere/cert.pem", "private key"),
        ("GRPC_TLS_KEY_FILE", "/nowhere/key.pem", "certificate"),
        ("GRPC_TLS_CLIENT_CA_FILE", "/nowhere/ca.pem", "set them too"),
        ("TRUSTED_PROXIES", "10.0.0.0/8,proxy", "10.0.0.0/8,192.168.1.7"),
        ("DATABASE_URL", "oracle://db/dify", "postgres://"),
        ("DATABASE_URL", "postgres://db", "database name"),
        ("DATABASE_URL", "db", "postgres://user"),
        ("SQLALCHEMY_POOL_SIZE", "many", "from 1 to 1000"),
        ("SQLALCHEMY_POOL_SIZE", "0", "from 1 to 1000"),
        ("DB_PREPARED_STATEMENTS", "false", "DB_TRANSACTION_POOLING=true"),
        ("REDIS_URL", "http://redis", "redis://"),
        ("BESIDE_DIFY", "maybe", "true or false"),
        ("SINGLE_REPLICA", "2", "true or false"),
        ("SHUTDOWN_TIMEOUT", "4", "from 5 to 3600"),
        ("INNER_LISTEN", "127.0.0.1:5003", "INNER_API_KEY"),
        ("REDIS_URL", "redis://redis:6379/dify", "a database that Redis cannot have"),
        ("REDIS_URL", "rediss://[::1]:6379/65536", "a database that Redis cannot have"),
        ("DIFY_VERSION", "latest", "1.14.2"),
        ("DIFY_API_URL", "api:5001", "absolute URL"),
        ("DIFY_API_CONNECT_TIMEOUT", "5s", "from 1 to 60"),
        ("DIFY_API_FIRST_BYTE_TIMEOUT", "0", "from 1 to 600"),
        ("DIFY_API_MAX_CONNECTIONS", "many", "from 1 to 100000"),
        ("ENABLE_OAUTH_BEARER", "si", "true or false"),
        ("OPENAPI_KNOWN_CLIENT_IDS", "difyctl,my client", "difyctl,my-client"),
        ("OPENAPI_CLIENT_COMMANDS", "difyctl", "client=command"),
        ("OPENAPI_CLIENT_COMMANDS", "difyctl=", "client=command"),
        ("OPENAPI_CLIENT_COMMANDS", "difyctl=log\u{202e}in", "printable command"),
        ("OPENAPI_CLIENT_COMMANDS", "acme-cli=acme login", "OPENAPI_KNOWN_CLIENT_IDS"),
        ("OPENAPI_CLIENT_COMMANDS", "difyctl=a,difyctl=b", "twice"),
        ("OAUTH_TTL_DAYS", "two weeks", "whole number"),
        ("OAUTH_ACCESS_TOKEN_RETENTION_DAYS", "-1", "from 0"),
        ("OPENAPI_RATE_LIMITS", "device_code", "name=limit"),
        ("OPENAPI_RATE_LIMITS", "nonsense=1/1h", "the limits are"),
        ("OPENAPI_RATE_LIMITS", "lookup=lots", "60/1h"),
        ("OPENAPI_RATE_LIMIT_PER_TOKEN", "-5", "from 0"),
        ("DEVICE_FLOW_APPROVE_RATE_LIMIT_PER_HOUR", "x", "from 0"),
        ("LOGIN_LOCKOUT_DURATION", "0", "from 1"),
        ("ACCESS_TOKEN_EXPIRE_MINUTES", "0", "from 1"),
        ("REFRESH_TOKEN_EXPIRE_DAYS", "1.5", "whole number"),
        ("OPENAPI_CORS_ALLOW_ORIGINS", "https://app.example.com/", "write https://app.example.com"),
        ("OPENAPI_CORS_ALLOW_ORIGINS", "app.example.com", "https://app.example.com"),
        ("OPENAPI_CORS_ALLOW_ORIGINS", "*,https://app.example.com", "either"),
        ("ENTERPRISE_API_URL", "enterprise", "absolute URL"),
        ("LOG_OUTPUT_FORMAT", "xml", "text or json"),
        ("LOG_LEVEL", "chatty", "DEBUG"),
        ("GRPC_REFLECTION", "perhaps", "true or false"),
        ("OPENAI_BASE_URL", "localhost:11434", "absolute URL"),
        ("OPENAI_BASE_URL", "http://localhost:11434/v1?key=x", "11434/v1"),
        ("OPENAI_API_KEY", "sk-two words", "copy it again"),
        ("OPENAI_MODELS", "gpt-4o=llama3", "provider:model=name"),
        ("OPENAI_MODELS", "openai:gpt-4o=", "provider:model=name"),
        ("OPENAI_MODELS", "openai:gpt-4o=llama3", "OPENAI_BASE_URL"),
        ("ECHO_PACE_MS", "slow", "from 0"),
        ("APP_MAX_EXECUTION_TIME", "0", "from 1"),
        ("HITL_GLOBAL_TIMEOUT_SECONDS", "0", "from 1"),
        ("APP_MAX_ACTIVE_REQUESTS", "-1", "from 0"),
        ("MAX_RUNS_PER_PROCESS", "0", "from 1"),
        ("MEMORY_LIMIT_MIB", "half", "from 0 to"),
        ("HTTP_REQUEST_ALLOWED_NETWORKS", "10.0.0.0/33", "10.1.0.0/16"),
    ];
    for (variable, value, fix) in table {
        let sentences = sentences(serve(&[(variable, value)]));
        assert_eq!(sentences.len(), 1, "{variable}={value} gave {sentences:?}");
        // A file without the other one: the problem names the missing file.
        let pair = variable.split("_TLS_").count() > 1 || variable.starts_with("TLS_");
        assert!(sentences[0].starts_with(variable) || pair, "{variable} is not named in: {}", sentences[0]);
        assert!(sentences[0].contains(fix), "`{fix}` is not the fix in: {}", sentences[0]);
        assert!(sentences[0].ends_with('.') && !sentences[0].contains('\n'), "not a sentence: {}", sentences[0]);
    }
}

#[test]
fn misspelled_variable_is_named_with_the_setting() {
    let sentences = |names: &[&str]| {
        let problems = misspelled(names.iter().map(|&name| name.to_owned()), false);
        problems.0.into_iter().map(|problem| problem.sentence).collect::<Vec<_>>()
    };
    for (name, nearest) in [("CONSOLE_WEB_ULR", "CONSOLE_WEB_URL"), ("DATABSE_URL", "DATABASE_URL")] {
        let expected = format!("{name} is not a setting; did you mean {nearest}? Rename it, or remove it.");
        assert_eq!(sentences(&["PATH", name]), [expected]);
        assert_eq!(sentences(&[name, nearest]), [""; 0], "both are set");
    }
    let of_others = [
        "HOME",
        "TRUSTED_PROXY",
        "LANG",
        "CONSOLE_CORS_ALLOW_ORIGINS",
        "REDIS_PORT_6379_TCP",
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
        "OTEL_NONSENSE",
    ];
    assert_eq!(sentences(&of_others), [""; 0]);
}

#[test]
fn unknown_variable_of_opentelemetry_is_refused_while_telemetry_is_exported() {
    let names = |names: &[&str], exports| {
        let problems = misspelled(names.iter().map(|&name| name.to_owned()), exports);
        problems.0.into_iter().map(|problem| (problem.variable, problem.sentence)).collect::<Vec<_>>()
    };
    let misspelled = "OTEL_EXPORTER_OTLP_ENDPOIN";
    for exports in [false, true] {
        let found = names(&[misspelled], exports);
        assert!(found.len() == 1 && found[0].1.contains("did you mean OTEL_EXPORTER_OTLP_ENDPOINT?"), "{found:?}");
    }
    let found = names(&["OTEL_NONSENSE", "OTEL_LOG_LEVEL"], true);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.iter().all(|(name, sentence)| sentence.starts_with(&**name) && sentence.contains("no effect")));
    let known = [
        "OTEL_SERVICE_NAME",
        "OTEL_BSP_SCHEDULE_DELAY",
        "OTEL_METRICS_EXPORTER",
        "OTEL_BSP_EXPORT_TIMEOUT",
        "OTEL_MAX_QUEUE_SIZE",
        "OTEL_PYTHON_LOG_LEVEL",
        "OTEL_RESOURCE_ATTRIBUTES_POD_NAME",
    ];
    assert_eq!(names(&known, true), [], "known, refused by another check, or of others");
}

#[test]
fn every_problem_is_reported_at_once() {
    let env = map(&[("LISTEN", "x"), ("DB_TYPE", "oracle"), ("OAUTH_TTL_DAYS", "x"), ("LOG_LEVEL", "x")]);
    let problems = Config::for_serve(&source(&env)).unwrap_err();
    let named: Vec<&str> = problems.0.iter().map(|problem| problem.variable.as_str()).collect();
    for variable in ["SECRET_KEY", "CONSOLE_WEB_URL", "LISTEN", "DB_TYPE", "OAUTH_TTL_DAYS", "LOG_LEVEL"] {
        assert!(named.contains(&variable), "{variable} is missing from {named:?}");
    }
}

#[test]
fn no_secret_is_printed_by_problems_debug_or_description() {
    let secrets = [
        ("SECRET_KEY", "geheim-sauce-that-is-long-enough-0001"),
        ("SECRET_KEY_NEXT", "geheim-0010-q8Zr1vYwT0m5uJx3nKc7bPd9sLf2hGa4eWi"),
        ("SECRET_KEYS_PREVIOUS", "old:geheim-0002-q8Zr1vYwT0m5uJx3nKc7,older:geheim-0003-bPd9sLf2hGa4eWiXoRtN"),
        ("INNER_API_KEY", "geheim-0004-and-more-of-it"),
        ("DATABASE_URL", "postgres://dify:geheim-0005@db/dify?password=geheim-0006"),
        ("REDIS_URL", "rediss://user:geheim-0007@redis:6379/0"),
        ("ENTERPRISE_ENABLED", "true"),
        ("ENTERPRISE_API_URL", "https://enterprise.example.com"),
        ("ENTERPRISE_API_SECRET_KEY", "geheim-0008"),
        ("OPENAI_API_KEY", "geheim-0009"),
    ];
    let config = serve(&secrets).unwrap();
    let shown = format!("{config:?}{:#?}{:?}{:?}", config, config.describe(), config.warnings);
    assert!(!shown.contains("geheim"), "{shown}");
    assert!(shown.contains("postgres://dify:***@db/dify"));

    let faulty = [
        ("SECRET_KEY", "geheim"),
        ("SECRET_KEYS_PREVIOUS", "geheim-2"),
        ("DATABASE_URL", "postgres://user:geheim#3@db"),
        ("REDIS_URL", "geheim://:geheim-4@x"),
        ("CONSOLE_WEB_URL", "https//user:geheim@example.com"),
        ("REDIS_USE_SENTINEL", "false"),
    ];
    let shown = serve(&faulty).unwrap_err();
    assert_eq!(shown.0.len(), 5, "{shown}");
    assert!(!format!("{shown} {shown:?}").contains("geheim"), "{shown}");
}

#[test]
fn sample_secrets_are_a_warning_in_development() {
    for sample in ["dev-secret-key", "sk-9f73s3ljTXVcMT3Blb3ljTqtsKiGHXVcMT3BlbkFJLK7U", "short"] {
        let config = serve(&[("SECRET_KEY", sample), ("DEPLOY_ENV", "DEVELOPMENT")]).unwrap();
        assert_eq!(config.warnings.len(), 1, "{:?}", config.warnings);
    }
}

#[test]
fn sessions_of_previous_keys_require_the_time_of_the_rotation() {
    let previous =
        ("SECRET_KEYS_PREVIOUS", "old:WiXoRtNq8Zr1vYwT0m5uJx3nKc7bPd9sLf2h,older:q8Zr1vYwT0m5uJx3nKc7bPd9sLf2hGa4");
    assert!(serve(&[previous]).unwrap().secrets.key_ring().replaced_secret().is_none());
    let config = serve(&[previous, ("SECRET_KEY_ROTATED_AT", "2026-11-20T09:00:00+01:00")]).unwrap();
    let ring = config.secrets.key_ring();
    let replaced = ring.replaced_secret().unwrap();
    assert_eq!(replaced.at.to_rfc3339(), "2026-11-20T08:00:00+00:00");
    assert_eq!(replaced.secret.expose(), "WiXoRtNq8Zr1vYwT0m5uJx3nKc7bPd9sLf2h", "the newest one");
    let alone = serve(&[("SECRET_KEY_ROTATED_AT", "2026-11-20T08:00:00Z")]).unwrap();
    assert!(alone.warnings[0].contains("SECRET_KEYS_PREVIOUS") && alone.secrets.key_ring().replaced_secret().is_none());
}

#[test]
fn allowed_network_with_the_metadata_address_is_a_warning() {
    for networks in ["0.0.0.0/0", "10.0.0.0/8,::/0", "169.254.169.254", "169.254.0.0/16", "fe80::1", "fd00:ec2::254"] {
        let warnings = serve(&[("HTTP_REQUEST_ALLOWED_NETWORKS", networks)]).unwrap().warnings;
        assert!(warnings.len() == 1 && warnings[0].contains("169.254.169.254"), "{networks}: {warnings:?}");
    }
    let warnings = serve(&[("HTTP_REQUEST_ALLOWED_NETWORKS", "10.0.0.0/8,fd12::/16,192.168.1.7")]).unwrap().warnings;
    assert_eq!(warnings, Vec::<String>::new());
}

#[test]
fn server_without_redis_requires_sqlite_or_single_replica() {
    for url in ["postgres://db/dify", "mysql+pymysql://db/dify"] {
        let found = sentences(serve(&[("DATABASE_URL", url), ("REDIS_URL", "")]));
        assert!(
            found.len() == 1 && found[0].starts_with("REDIS_URL") && found[0].contains("SINGLE_REPLICA"),
            "{found:?}"
        );
        assert!(serve(&[("DATABASE_URL", url), ("REDIS_URL", ""), ("SINGLE_REPLICA", "true")]).is_ok());
    }
    let config = serve(&[("DATABASE_URL", ""), ("REDIS_URL", ""), ("DATA_DIR", "/srv/data")]).unwrap();
    assert_eq!(config.database.url.expose(), "sqlite:///srv/data/dify-openapi.db?mode=rwc");
    assert!(config.uses_data_dir());
}

#[test]
fn list_of_limits_wins_over_single_variables() {
    let config = serve(&[
        ("OPENAPI_RATE_LIMIT_PER_TOKEN", "0"),
        ("DEVICE_FLOW_APPROVE_RATE_LIMIT_PER_HOUR", "20"),
        ("LOGIN_LOCKOUT_DURATION", "900"),
        ("OPENAPI_RATE_LIMITS", "device_code=600/1h, lookup=0 ,approve=5/10m"),
    ])
    .unwrap();
    let quota = |name| config.limits.quota(name);
    assert!(quota(LimitName::Token).is_off() && quota(LimitName::Lookup).is_off());
    assert_eq!(quota(LimitName::DeviceCode), Quota::new(600, 3_600));
    assert_eq!(quota(LimitName::Approve), Quota::new(5, 600));
    assert_eq!(quota(LimitName::Login), Quota::new(5, 900));
    assert_eq!(quota(LimitName::LoginAccount), Quota::new(50, 86_400));
    assert_eq!(quota(LimitName::LoginBrowser), Quota::new(10, 3_600));
    assert_eq!(quota(LimitName::LoginAddress), Quota::new(100, 900));
    assert_eq!(quota(LimitName::Account), Quota::new(60, 60));
}

#[test]
fn token_lifetimes_are_clamped_with_a_warning() {
    for (days, taken) in [("0", 1), ("-3", 1), ("366", 365), ("90", 90)] {
        let config = serve(&[("OAUTH_TTL_DAYS", days)]).unwrap();
        assert_eq!(config.oauth.token_lifetime.as_secs() / 86_400, taken);
        assert_eq!(config.warnings.is_empty(), days == "90");
    }
}

#[test]
fn any_origin_is_allowed_only_while_bearers_are_on() {
    let allowed = |origins| serve(&[("OPENAPI_CORS_ALLOW_ORIGINS", origins)]).unwrap().cors;
    assert_eq!(allowed("*"), AllowOrigins::Any);
    let off = serve(&[("OPENAPI_CORS_ALLOW_ORIGINS", "*"), ("ENABLE_OAUTH_BEARER", "false")]);
    assert!(sentences(off)[0].contains("ENABLE_OAUTH_BEARER"));
    let listed = AllowOrigins::Listed(vec!["https://a.example".to_owned(), "http://b.example:8080".to_owned()]);
    assert_eq!(allowed("https://a.example, http://b.example:8080"), listed);
    assert_eq!(serve(&[]).unwrap().cors, AllowOrigins::Listed(Vec::new()));
}

#[test]
fn cookies_and_origins_follow_from_the_public_urls() {
    let table: &[(Pairs, &str, &str)] = &[
        (&[], "__Host-", ""),
        (&[("CONSOLE_API_URL", "https://api.example.com")], "__Host-", "__Host-"),
        (&[("CONSOLE_API_URL", "http://api.example.com")], "", ""),
        (&[("CONSOLE_API_URL", "https://api.example.com"), ("COOKIE_DOMAIN", ".example.com")], "", ""),
        (&[("CONSOLE_WEB_URL", "http://localhost:3000")], "", ""),
    ];
    for (pairs, standalone, beside) in table {
        let urls = serve(pairs).unwrap().urls;
        assert_eq!((urls.cookie_prefix(false), urls.cookie_prefix(true)), (*standalone, *beside), "{pairs:?}");
    }
    let urls = serve(&[("CONSOLE_WEB_URL", "https://Dify.Example.com:443/")]).unwrap().urls;
    assert_eq!((urls.issuer(), urls.is_secure()), ("https://dify.example.com", true));
    assert_eq!(serve(&[("CONSOLE_WEB_URL", "http://dify.example.com")]).unwrap().warnings.len(), 1);
    assert!(serve(&[("CONSOLE_WEB_URL", "http://127.0.0.1:5001")]).unwrap().warnings.is_empty());
}

#[test]
fn standard_otlp_variables_win_over_those_of_dify() {
    let config = serve(&[
        ("ENABLE_OTEL", "true"),
        ("OTLP_BASE_ENDPOINT", "http://base:4317"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://traces:4317"),
    ]);
    let otlp = config.unwrap().telemetry.otlp.unwrap();
    let [traces, metrics] = [otlp.traces, otlp.metrics].map(|signal| signal.unwrap().endpoint);
    assert_eq!((traces.as_str(), metrics.as_str()), ("http://traces:4317/", "http://base:4317/"));
    assert!(serve(&[("OTLP_BASE_ENDPOINT", "http://base:4317")]).unwrap().telemetry.otlp.is_none());
}

#[test]
fn dev_reads_every_variable_except_those_of_stores_and_listeners() {
    let dir = tempfile::tempdir().unwrap();
    let options = DevOptions { listen: "127.0.0.1:0".parse().unwrap(), data_dir: dir.path().to_owned() };
    let env = map(&[
        ("DATABASE_URL", "nonsense"),
        ("REDIS_URL", "nonsense"),
        ("LISTEN", "nonsense"),
        ("TLS_CERT_FILE", "nonsense"),
        ("OAUTH_TTL_DAYS", "3"),
    ]);
    let mut config = Config::for_dev(&options, &source(&env)).unwrap();
    assert_eq!(config.oauth.token_lifetime, Duration::from_hours(3 * 24));
    assert!(config.redis.is_none() && config.deployment.grpc_reflection && config.uses_data_dir());
    config.bound_to("127.0.0.1:4711".parse().unwrap());
    assert_eq!(config.urls.issuer(), "http://127.0.0.1:4711");

    let env = map(&[("CONSOLE_WEB_URL", "http://localhost:3000"), ("OAUTH_TTL_DAYS", "x")]);
    assert_eq!(Config::for_dev(&options, &source(&env)).unwrap_err().0.len(), 1);
    let open = DevOptions { listen: "0.0.0.0:5001".parse().unwrap(), ..options };
    assert!(sentences(Config::for_dev(&open, &|_| None))[0].contains("loopback only"));
}

#[test]
fn models_have_one_endpoint_and_may_have_other_names_there() {
    assert!(serve(&[]).unwrap().runtime.openai.is_none());
    let endpoint = serve(&[("OPENAI_API_KEY", "sk-1")]).unwrap().runtime.openai.unwrap();
    assert_eq!(endpoint.base_url.as_str(), "https://api.openai.com/v1");
    let config = serve(&[
        ("OPENAI_BASE_URL", "http://127.0.0.1:11434/v1"),
        ("OPENAI_MODELS", "openai:gpt-4o=llama3:8b, langgenius/ollama/ollama:qwen=q=4"),
        ("HTTP_REQUEST_ALLOWED_NETWORKS", "10.1.0.0/16, ::1"),
    ])
    .unwrap();
    let endpoint = config.runtime.openai.as_ref().unwrap();
    let name = |provider: &str, model: &str| endpoint.names[&(provider.to_owned(), model.to_owned())].as_str();
    assert_eq!(name("langgenius/openai/openai", "gpt-4o"), "llama3:8b");
    assert_eq!(name("langgenius/ollama/ollama", "qwen"), "q=4");
    assert!(endpoint.api_key.is_none());
    let shown = config.describe();
    let value = |name: &str| shown.iter().find(|(setting, _)| setting.name == name).unwrap().1.as_str();
    assert_eq!(value("HTTP_REQUEST_ALLOWED_NETWORKS"), "10.1.0.0/16,::1/128");
    assert_eq!(value("OPENAI_MODELS"), "langgenius/ollama/ollama:qwen=q=4,langgenius/openai/openai:gpt-4o=llama3:8b");
}

#[test]
fn number_out_of_range_is_rejected_with_the_range() {
    for (variable, value, range) in [
        ("OAUTH_TTL_DAYS", "abc", "a whole number from 1 to 365."),
        ("OAUTH_TTL_DAYS", "99999999999999999999", "a whole number from 1 to 365."),
        ("OAUTH_TTL_DAYS", "1.5", "a whole number from 1 to 365."),
        ("OTEL_SAMPLING_RATE", "2", "a number from 0 to 1, like 0.25."),
        ("OTEL_SAMPLING_RATE", "NaN", "a number from 0 to 1, like 0.25."),
    ] {
        let sentences = sentences(serve(&[("ENABLE_OTEL", "true"), (variable, value)]));
        assert_eq!(sentences, [format!("{variable} is `{value}`; set it to {range}")]);
    }
}

#[test]
fn enterprise_edition_needs_no_enterprise_service() {
    let config = serve(&[("ENTERPRISE_ENABLED", "true")]).unwrap();
    assert!(config.warnings.is_empty() && config.enterprise.enabled, "{:?}", config.warnings);
    assert!(config.enterprise.service.is_none());
}
