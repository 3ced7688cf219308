//! The identity provider, and the two console URLs.

use super::*;

const PROVIDER: [(&str, &str); 4] = [
    ("ENTERPRISE_ENABLED", "true"),
    ("SSO_OIDC_ISSUER", "https://idp.example.com/realms/a/"),
    ("SSO_OIDC_CLIENT_ID", "dify"),
    ("SSO_OIDC_CLIENT_SECRET", "a secret that is never printed"),
];

fn with(pairs: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    PROVIDER.iter().chain(pairs).copied().collect()
}

#[test]
fn provider_is_read_with_its_defaults_and_its_secret_is_not_printed() {
    let config = serve(&PROVIDER).unwrap();
    let provider = config.oidc.as_ref().unwrap();
    assert_eq!(provider.issuer, "https://idp.example.com/realms/a/", "exactly as it is written");
    assert_eq!((provider.scopes.as_str(), provider.name.as_deref()), ("openid email profile", None));
    assert!(provider.allowed_domains.is_empty());
    assert!(!format!("{config:?} {:?}", config.describe()).contains("never printed"));
    let domains = with(&[("SSO_OIDC_ALLOWED_DOMAINS", "Example.com, example.org"), ("SSO_OIDC_NAME", "Example Corp")]);
    let provider = serve(&domains).unwrap().oidc.unwrap();
    assert_eq!(provider.allowed_domains, ["example.com", "example.org"]);
    assert_eq!(provider.name.as_deref(), Some("Example Corp"));
    assert!(serve(&[]).unwrap().oidc.is_none());
}

#[test]
fn each_bad_value_of_the_provider_is_a_problem_with_its_fix() {
    for (variable, value, fix) in [
        ("SSO_OIDC_ISSUER", "idp.example.com", "absolute URL"),
        ("SSO_OIDC_ISSUER", "http://idp.example.com", "use https"),
        ("SSO_OIDC_ISSUER", "https://idp.example.com/?a=b", "query or fragment"),
        ("SSO_OIDC_CLIENT_ID", "", "copy it from the registration"),
        ("SSO_OIDC_CLIENT_SECRET", "", "copy it from the registration"),
        ("SSO_OIDC_SCOPES", "openid profile", "`email`"),
        ("SSO_OIDC_SCOPES", "email", "`openid`"),
        ("SSO_OIDC_NAME", "A name that is far too long for the button of a page", "at most 40"),
        ("SSO_OIDC_ALLOWED_DOMAINS", "*.example.com", "write domains like"),
        ("SSO_OIDC_ALLOWED_DOMAINS", "ann@example.com", "write domains like"),
    ] {
        let sentences = sentences(serve(&with(&[(variable, value)])));
        assert!(sentences.len() == 1 && sentences[0].contains(fix), "{variable}={value}: {sentences:?}");
    }
    assert!(serve(&with(&[("SSO_OIDC_ISSUER", "http://127.0.0.1:8080")])).is_ok(), "on this machine");
}

#[test]
fn provider_without_effect_is_a_warning() {
    let remote =
        [("ENTERPRISE_API_URL", "https://enterprise.example"), ("ENTERPRISE_API_SECRET_KEY", "a key of theirs 42")];
    for pairs in [with(&[("ENTERPRISE_ENABLED", "false")]), with(&remote)] {
        let config = serve(&pairs).unwrap();
        assert!(config.oidc.is_none());
        assert!(config.warnings.iter().any(|warning| warning.contains("SSO_OIDC_ISSUER")), "{:?}", config.warnings);
    }
}

#[test]
fn each_console_url_defaults_to_the_other() {
    let (web, api) = ("https://console.example", "https://api.example");
    for (pairs, expected) in [
        ([("CONSOLE_WEB_URL", web), ("CONSOLE_API_URL", "")], (web, web)),
        ([("CONSOLE_WEB_URL", ""), ("CONSOLE_API_URL", api)], (api, api)),
        ([("CONSOLE_WEB_URL", web), ("CONSOLE_API_URL", api)], (web, api)),
    ] {
        let urls = serve(&pairs).unwrap().urls;
        assert_eq!((urls.issuer(), urls.api_url(), urls.is_secure()), (expected.0, expected.1, true));
    }
    let neither = sentences(serve(&[("CONSOLE_WEB_URL", ""), ("CONSOLE_API_URL", "")]));
    assert!(neither.len() == 1 && neither[0].contains("set it to the URL"), "{neither:?}");
    let mixed = serve(&[("CONSOLE_API_URL", "http://api.example")]).unwrap().urls;
    assert!(mixed.is_https() && !mixed.is_secure());
}
