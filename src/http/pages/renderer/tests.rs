//! Renders every state of every page in both languages, with hostile values wherever strangers choose the value.

use serde::Serialize;

use super::*;
use crate::domain::{client_commands::ClientCommand, id::TokenId};
use crate::http::pages::{
    display_time::DisplayTime,
    handlers::{
        approval::ApprovePage,
        browser_sessions::{BrowserCard, BrowserList},
        continue_session::ContinuePage,
        enter_code::EnterCodePage,
        rename::RenamePage,
        revocation::ConfirmPage,
        sessions::{SessionCard, SessionsPage},
        sign_in::SignInPage,
        single_sign_on::{SsoLink, SsoStartPage},
    },
    message_page::{MessageKind, MessagePage},
};

fn value_of(page: impl Serialize) -> Value {
    Value::from(Serde(page))
}

const HOSTILE: &str = "\"'><script>alert(1)</script>{{ t }}";

fn render_in(renderer: &Renderer, template: PageTemplate, language: Language, page: &impl Serialize) -> String {
    let user = Some(SignedInUser { email: HOSTILE, can_sign_out: true });
    let layout = Layout {
        language,
        is_external: false,
        pages_url: "",
        page_url: "/device",
        return_to: "/device",
        user,
        csrf_token: "the-csrf-token",
        has_connections: true,
    };
    let html = renderer.render(template, &layout, page).expect("a page");
    save(template, language, &html);
    // The escaper writes slashes as character references.
    let html = html.replace("&#x2f;", "/");
    // Each word of a command is in an element of its own.
    html.replace("</span> <span>", " ")
}

/// `PAGES_OUT=dir cargo test --lib pages::renderer` writes each state to a file in that folder.
fn save(template: PageTemplate, language: Language, html: &str) {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    if let Ok(folder) = std::env::var("PAGES_OUT") {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path =
            format!("{folder}/{}-{}-{number:02}.html", template.name().trim_end_matches(".html"), language.tag());
        std::fs::write(path, html).expect("a file");
    }
}

/// Renders a page in every language and checks what holds for every page.
fn render(template: PageTemplate, page: impl Fn(&Texts) -> Value) -> Vec<String> {
    let renderer = Renderer::new(&Branding::default()).expect("a renderer");
    Language::all()
        .map(|language| {
            let html = render_in(&renderer, template, language, &page(renderer.texts(language)));
            assert!(html.contains(&format!("<html lang=\"{}\">", language.tag())));
            assert_eq!(html.matches("<h1").count(), 1, "one h1");
            assert_eq!(html.matches("<main").count(), 1);
            assert_eq!(html.matches("<script").count(), 1, "only the script of the pages");
            assert!(!html.contains("alert(1)</script>"), "escaped");
            assert!(!html.contains(" style=") && !html.contains(" onclick="), "no inline style or script");
            assert!(!html.contains("{}") || html.contains("data-text"), "no placeholder is left");
            html
        })
        .into()
}

fn approve(error: Option<&str>, browser_address: Option<&str>, workspace: Option<&str>) -> Vec<String> {
    render(PageTemplate::Approve, |_| {
        value_of(ApprovePage {
            browser_address: browser_address.map(str::to_owned),
            workspace_count: if workspace.is_some() { "2".to_owned() } else { String::new() },
            workspace_names: workspace.unwrap_or_default().to_owned(),
            error: error.map(str::to_owned),
            ..approve_page()
        })
    })
}

fn approve_page() -> ApprovePage {
    ApprovePage {
        path: "/device/handle".to_owned(),
        code: "ABCD-EFGH".to_owned(),
        client: "difyctl".to_owned(),
        label: HOSTILE.to_owned(),
        device_address: "203.0.113.7".to_owned(),
        browser_address: None,
        started: DisplayTime::from_unix_millis(1_764_000_000_000),
        expires_in: 871,
        expires_minutes: "15".to_owned(),
        account_name: "Demo Person".to_owned(),
        account_email: "demo@example.com".to_owned(),
        workspace_count: String::new(),
        workspace_names: String::new(),
        until: DisplayTime::from_unix_millis(1_765_209_600_000),
        issuer: None,
        csrf_token: "the-csrf-token".to_owned(),
        error: None,
        commands: commands(),
    }
}

fn commands() -> Vec<ClientCommand> {
    let command =
        |client: &str, command: &str| ClientCommand { client: client.to_owned(), command: command.to_owned() };
    vec![command("difyctl", "difyctl auth login --host https://dify.example"), command("acme-cli", HOSTILE)]
}

#[test]
fn approval_page_shows_the_device_and_both_choices() {
    for html in approve(None, None, Some("Demo Workspace")) {
        for shown in [
            "ABCD-EFGH",
            "difyctl",
            "203.0.113.7",
            "demo@example.com",
            "Demo Workspace",
            "2025-11-24T16:00:00Z",
            "2025-12-08",
        ] {
            assert!(html.contains(shown), "{shown}");
        }
        assert!(
            html.contains("action=\"/device/handle/approve\"") && html.contains("formaction=\"/device/handle/deny\"")
        );
        assert!(html.contains("name=\"mine\"") && html.contains("value=\"the-csrf-token\""));
        assert!(html.contains("&lt;script&gt;alert(1)"), "the label is escaped");
        assert!(!html.contains("role=\"note\""));
    }
}

#[test]
fn approval_page_warns_of_another_address_and_of_a_missing_confirmation() {
    for html in approve(Some("Tick the box."), Some("198.51.100.2"), None) {
        assert!(html.contains("role=\"note\"") && html.contains("198.51.100.2"));
        assert!(html.contains("Tick the box.") && html.contains("aria-invalid=\"true\""));
    }
}

#[test]
fn sign_in_page_shows_the_error() {
    for error in [None, Some("Wrong.".to_owned())] {
        let page = |_: &Texts| {
            value_of(SignInPage {
                token: "pre".to_owned(),
                action: "/signin?return=/device/sessions".to_owned(),
                return_to: "/device/sessions".to_owned(),
                for_device: true,
                notice: Some("Signed out.".to_owned()),
                error: error.clone(),
                invalid_credentials: error.is_some(),
                sso: Some(SsoLink {
                    href: "/signin/sso?return=/device/sessions".to_owned(),
                    label: HOSTILE.to_owned(),
                }),
            })
        };
        for html in render(PageTemplate::SignIn, page) {
            assert!(html.contains("autocomplete=\"username\"") && html.contains("autocomplete=\"current-password\""));
            assert!(html.contains("name=\"signin_token\" value=\"pre\""));
            assert!(html.contains("href=\"/signin/sso?return=/device/sessions\""));
            assert_eq!(html.contains("role=\"alert\""), error.is_some());
        }
    }
}

#[test]
fn code_page_shows_the_error() {
    for error in [None, Some("Not a code.".to_owned())] {
        let page = |_: &Texts| value_of(EnterCodePage { error: error.clone(), ..EnterCodePage::default() });
        for html in render(PageTemplate::EnterCode, page) {
            assert!(html.contains("autocomplete=\"off\"") && html.contains("value=\"\""));
            assert_eq!(html.contains("role=\"alert\""), error.is_some());
        }
    }
}

#[test]
fn code_page_is_filled_in_and_explains_missing_characters() {
    let page =
        |_: &Texts| value_of(EnterCodePage { error: None, prefill: "ABCD-EF".to_owned(), is_partial: true, sso: None });
    let pages = render(PageTemplate::EnterCode, page);
    let [english, .., chinese] = pages.as_slice() else { panic!("too few languages") };
    assert!(english.contains("value=\"ABCD-EF\"") && english.contains("last two characters"));
    assert!(chinese.contains("value=\"ABCD-EF\"") && chinese.contains("最后两个字符"));
}

#[test]
fn continue_page_submits_a_form() {
    let page = |_: &Texts| {
        value_of(ContinuePage {
            action: "/signin/refresh?return=/device/sessions".to_owned(),
            return_to: "/device/sessions".to_owned(),
            another: "/signin?return=/device/sessions&another=yes".to_owned(),
        })
    };
    for html in render(PageTemplate::Continue, page) {
        assert!(html.contains("method=\"post\" action=\"/signin/refresh?return=/device/sessions\""));
        assert!(html.contains("href=\"/signin?return=/device/sessions&amp;another=yes\""));
    }
}

fn card(last_used: bool) -> SessionCard {
    SessionCard {
        id: "0199f2c0-0000-7000-8000-000000000001".to_owned(),
        label: HOSTILE.to_owned(),
        client: "difyctl".to_owned(),
        prefix: "dfoa_ab2f".to_owned(),
        agent: Some(HOSTILE.to_owned()),
        address: last_used.then(|| "203.0.113.7".to_owned()),
        created: DisplayTime::from_unix_millis(1_764_000_000_000),
        last_used: last_used.then(|| DisplayTime::from_unix_millis(1_764_000_600_000)),
        last_agent: last_used.then(|| HOSTILE.to_owned()),
        last_address: last_used.then(|| "203.0.113.9".to_owned()),
        expires: DisplayTime::from_unix_millis(1_765_209_600_000),
        current: last_used,
    }
}

fn browsers() -> BrowserList {
    let card = |id: &str, current: bool| BrowserCard {
        id: id.to_owned(),
        name: current.then(|| HOSTILE.to_owned()),
        address: Some("203.0.113.8".to_owned()),
        last_address: (!current).then(|| "203.0.113.9".to_owned()),
        created: DisplayTime::from_unix_millis(1_764_000_000_000),
        last_used: (!current).then(|| DisplayTime::from_unix_millis(1_764_000_600_000)),
        expires: DisplayTime::from_unix_millis(1_765_209_600_000),
        current,
    };
    BrowserList { cards: vec![card("this", true), card("that", false)], total: 25, unlisted: 23 }
}

#[test]
fn sessions_page_shows_cards_paging_and_the_empty_list() {
    let page = |_: &Texts| {
        value_of(SessionsPage {
            done: Some("Revoked.".to_owned()),
            sessions: vec![card(true), card(false)],
            current: Some("0199f2c0-0000-7000-8000-000000000001".to_owned()),
            query: "?current=0199f2c0-0000-7000-8000-000000000001&page=2".to_owned(),
            commands: Vec::new(),
            browsers: browsers(),
            total: 42,
            number: 2,
            pages: 3,
            previous: Some(1),
            next: Some(3),
        })
    };
    for html in render(PageTemplate::Sessions, page) {
        let revoke = "/device/sessions/0199f2c0-0000-7000-8000-000000000001/revoke";
        let query = "?current=0199f2c0-0000-7000-8000-000000000001&amp;page=2";
        assert!(html.contains(&format!("href=\"{revoke}{query}\"")));
        assert_eq!(html.matches("class=\"tag here\"").count(), 2, "only the current session and browser are marked");
        assert!(html.contains("action=\"/device/sessions/browsers/that/end?current="));
        assert!(!html.contains("browsers/this/end"), "this browser signs out in the header");
        assert!(html.contains("203.0.113.7") && html.contains("203.0.113.8") && html.contains("203.0.113.9"));
        assert!(html.contains("?page=1&amp;current=") && html.contains("?page=3") && html.contains("role=\"status\""));
        assert!(html.contains("dfoa_ab2f…") && html.contains("/device/sessions/revoke-all"));
    }
    let empty = |_: &Texts| {
        let page = SessionsPage {
            done: None,
            sessions: Vec::new(),
            current: None,
            query: String::new(),
            commands: commands(),
            browsers: BrowserList::default(),
            total: 0,
            number: 1,
            pages: 1,
            previous: None,
            next: None,
        };
        value_of(page)
    };
    for html in render(PageTemplate::Sessions, empty) {
        assert!(html.contains("difyctl auth login --host https://dify.example") && !html.contains("revoke-all"));
    }
}

#[test]
fn confirmation_page_names_the_session() {
    for session in [true, false] {
        let page = |texts: &Texts| {
            value_of(ConfirmPage {
                title: texts.get("revoke_title").to_owned(),
                text: texts.get("revoke_text").to_owned(),
                session: session.then(|| card(true)),
                warning: session.then(|| texts.get("revoke_current").to_owned()),
                back: "/device/sessions".to_owned(),
                path: "/device/sessions/x/revoke".to_owned(),
                button: texts.get("revoke").to_owned(),
            })
        };
        for html in render(PageTemplate::Confirm, page) {
            assert_eq!(html.contains("difyctl"), session);
            assert_eq!(html.contains("role=\"note\"") && html.contains("class=\"tag here\""), session);
            assert!(
                html.contains("method=\"post\" action=\"/device/sessions/x/revoke\"")
                    && html.contains("the-csrf-token")
            );
        }
    }
}

#[test]
fn message_pages_show_the_next_step() {
    for (message, shown) in [
        (MessagePage::approved as fn(&Texts) -> MessagePage, "/device/sessions"),
        (MessagePage::denied, "/device/sessions"),
        (|texts| MessagePage::code_expired(texts, commands()), "difyctl auth login"),
        (|texts| MessagePage::code_unknown(texts, commands()), "acme-cli"),
        (|texts| MessagePage::session_ended(texts, "/device/sessions?page=3"), "/device/sessions?page=3"),
        (MessagePage::not_found, "/device"),
    ] {
        for html in render(PageTemplate::Message, |texts| value_of(message(texts))) {
            assert!(html.contains(shown));
        }
    }
}

#[test]
fn outcome_names_the_session_and_ends_it() {
    let message = |texts: &Texts| {
        let values = [("client", "acme-cli"), ("device", HOSTILE), ("account", "Ada")];
        let page = MessagePage::new(texts, MessageKind::Success, "approved_title", "approved_text")
            .with_sentence(texts, "approved_sentence", &values)
            .with_commands(Vec::new())
            .with_end_form("/device/handle/end".to_owned(), TokenId(uuid::Uuid::nil()), "a token");
        value_of(page)
    };
    for html in render(PageTemplate::Message, message) {
        assert!(html.contains("<bdi translate=\"no\">acme-cli</bdi>") && html.contains(">Ada</bdi>"), "{html}");
        assert!(html.contains("method=\"post\" action=\"/device/handle/end\"") && html.contains("the-csrf-token"));
        assert!(html.contains("value=\"00000000-0000-0000-0000-000000000000\"") && !html.contains("<pre>"));
    }
}

#[test]
fn rename_page_shows_the_name_and_the_error() {
    for error in [None, Some("Not a name.".to_owned())] {
        let page = |_: &Texts| {
            value_of(RenamePage {
                label: HOSTILE.to_owned(),
                client: "difyctl".to_owned(),
                path: "/device/sessions/x/rename".to_owned(),
                back: "/device/sessions".to_owned(),
                error: error.clone(),
            })
        };
        for html in render(PageTemplate::Rename, page) {
            assert!(html.contains("action=\"/device/sessions/x/rename\"") && html.contains("the-csrf-token"));
            assert_eq!(html.contains("role=\"alert\""), error.is_some());
        }
    }
}

#[test]
fn language_switch_links_to_the_same_page() {
    let renderer = Renderer::new(&Branding::default()).expect("a renderer");
    let layout = Layout {
        language: Language::default(),
        is_external: false,
        pages_url: "",
        page_url: "/device/sessions?page=2",
        return_to: "/device",
        user: None,
        csrf_token: "",
        has_connections: false,
    };
    let html = renderer.render(PageTemplate::EnterCode, &layout, &EnterCodePage::default()).expect("a page");
    assert!(html.contains("&amp;lang=zh") && !html.contains("lang=en\""), "only the other language is a link");
    assert!(!html.contains("/device/signout"), "no user is signed in");
}

#[test]
fn page_before_the_identity_provider_shows_the_code_and_both_ways() {
    let page = |_: &Texts| {
        value_of(SsoStartPage {
            code: "ABCD-EFGH".to_owned(),
            link: SsoLink { href: "/sso-initiate?user_code=ABCD-EFGH".to_owned(), label: HOSTILE.to_owned() },
            other: "/device/handle".to_owned(),
        })
    };
    for html in render(PageTemplate::SsoStart, page) {
        assert!(html.contains("href=\"/sso-initiate?user_code=ABCD-EFGH\"") && html.contains("ABCD-EFGH</strong>"));
        assert!(html.contains("href=\"/device/handle\"") && !html.contains("<form method=\"post\" action=\"/sso"));
    }
}

#[test]
fn approval_page_of_an_external_identity_names_its_provider() {
    let page = |_: &Texts| {
        value_of(ApprovePage {
            issuer: Some("https://idp.example".to_owned()),
            account_email: HOSTILE.to_owned(),
            csrf_token: "the token of the cookie".to_owned(),
            path: "/openapi/v1/oauth/device/confirm".to_owned(),
            ..approve_page()
        })
    };
    for html in render(PageTemplate::Approve, page) {
        assert!(html.contains("https://idp.example") && html.contains("value=\"the token of the cookie\""));
        assert!(html.contains("action=\"/openapi/v1/oauth/device/confirm/approve\""));
        assert!(html.contains("formaction=\"/openapi/v1/oauth/device/confirm/deny\""));
        assert!(!html.contains("Demo Person"));
    }
}

#[test]
fn pages_show_the_name_and_the_links_of_the_organization() {
    let branding = Branding {
        name: HOSTILE.to_owned(),
        help_url: Some("https://acme.example/help".to_owned()),
        sign_in_help_url: Some("https://acme.example/password".to_owned()),
        ..Branding::default()
    };
    let renderer = Renderer::new(&branding).expect("a renderer");
    for language in Language::all() {
        let html = render_in(&renderer, PageTemplate::SignIn, language, &SignInPage::default());
        assert!(html.contains("href=\"https://acme.example/help\"") && !html.contains("alert(1)</script>"));
        assert!(html.contains("href=\"https://acme.example/password\""));
        assert!(!html.contains(">Dify<") && !html.contains("· Dify"));
    }
}
