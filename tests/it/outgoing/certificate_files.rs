//! Certificates that cannot be used are refused before a port is bound.

use crate::support::{
    authority::{Authority, text},
    command::run_command,
    server::SECRET_KEY,
};

#[test]
fn unusable_certificates_are_refused_with_their_settings() {
    let authority = Authority::new();
    let [certificate, key] = authority.issue_files("one");
    let [_, other_key] = authority.issue_files("two");
    let empty = tempfile::tempdir().unwrap();
    let (certificate, key, other_key, ca) = (text(&certificate), text(&key), text(&other_key), authority.file());
    let pairs = [
        ("SSL_CLIENT_CERT_FILE", "SSL_CLIENT_KEY_FILE", None),
        ("REDIS_SSL_CERTFILE", "REDIS_SSL_KEYFILE", Some(("REDIS_URL", "rediss://127.0.0.1:1/0"))),
        ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "OTEL_EXPORTER_OTLP_CLIENT_KEY", Some(("ENABLE_OTEL", "true"))),
    ];
    for (certificate_setting, key_setting, more) in pairs {
        for (values, named) in [
            ([Some(certificate), None], key_setting),
            ([None, Some(key)], certificate_setting),
            ([Some(certificate), Some(other_key)], certificate_setting),
            ([Some("/nowhere"), Some(key)], certificate_setting),
            ([Some(certificate), Some("/nowhere")], key_setting),
            // Each file in the place of the other.
            ([Some(key), Some(certificate)], certificate_setting),
        ] {
            let own = [certificate_setting, key_setting].into_iter().zip(values);
            let given: Vec<_> = own.filter_map(|(name, value)| Some((name, value?))).chain(more).collect();
            let error = refusal(&given);
            assert!(error.contains(named), "{values:?}: {error}");
            assert!(!error.contains("PRIVATE KEY"), "{error}");
        }
        let accepted = [(certificate_setting, certificate), (key_setting, key)];
        let accepted: Vec<_> = accepted.into_iter().chain(more).collect();
        assert!(check_config(&accepted).status.success(), "{certificate_setting}");
    }
    let empty = text(empty.path());
    assert!(refusal(&[("SSL_CERT_DIR", empty)]).contains("SSL_CERT_DIR"));
    assert!(refusal(&[("SSL_CERT_DIR", empty), ("SSL_CERT_FILE", text(&ca))]).contains("SSL_CERT_DIR"));
    assert!(refusal(&[("SSL_CERT_FILE", "/nowhere")]).contains("SSL_CERT_FILE"));
}

fn check_config(variables: &[(&str, &str)]) -> std::process::Output {
    let required = [
        ("SECRET_KEY", SECRET_KEY),
        ("CONSOLE_WEB_URL", "http://127.0.0.1:5001"),
        ("DEPLOY_ENV", "DEVELOPMENT"),
        ("DATA_DIR", "/tmp"),
        ("OTLP_BASE_ENDPOINT", "https://127.0.0.1:1"),
    ];
    run_command(required.iter().chain(variables).copied(), &["check-config"], "")
}

fn refusal(variables: &[(&str, &str)]) -> String {
    let output = check_config(variables);
    assert!(!output.status.success(), "{variables:?}");
    String::from_utf8(output.stderr).unwrap()
}
