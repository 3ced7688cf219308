//! Every state of every page, in both languages, with hostile values in each place that a stranger can fill.

use serde::Serialize;

use super::*;
use crate::http::pages::{
    approval::ApprovePage,
    enter_code::EnterCodePage,
    moment::Moment,
    notice::Notice,
    revocation::ConfirmPage,
    sessions::{SessionCard, SessionsPage},
    sign_in::SignInPage,
};

fn of(page: impl Serialize) -> Value {
    Value::from(Serde(page))
}

const HOSTILE: &str = "\"'><script>alert(1)</script>{{ t }}";

fn draw_as(look: &Look, template: Template, language: Language, page: &impl Serialize) -> String {
    let person = Some(Person { email: HOSTILE, can_sign_out: true });
    let frame = Frame { language, here: "/device", back_to: "/device", person, csrf: "the-csrf-token" };
    let html = look.draw(template, &frame, page).expect("a page");
    save(template, language, &html);
    // The escaper writes slashes as references, too.
    let html = html.replace("&#x2f;", "/");
    // And the words of a command are held together one by one.
    html.replace("</span> <span>", " ")
}

/// For looking at: `PAGES_OUT=dir cargo test pages::look` leaves each state there.
fn save(template: Template, language: Language, html: &str) {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    if let Ok(folder) = std::env::var("PAGES_OUT") {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path =
            format!("{folder}/{}-{}-{number:02}.html", template.name().trim_end_matches(".html"), language.tag());
        std::fs::write(path, html).expect("a file");
    }
}

/// Draws in both languages and checks what must hold of every page.
fn draw(template: Template, page: impl Fn(&Texts) -> Value) -> [String; 2] {
    let look = Look::new().expect("a look");
    Language::ALL.map(|language| {
        let html = draw_as(&look, template, language, &page(look.texts(language)));
        assert!(html.contains(&format!("<html lang=\"{}\">", language.tag())));
        assert_eq!(html.matches("<h1").count(), 1, "one heading of the first rank");
        assert_eq!(html.matches("<main").count(), 1);
        assert_eq!(html.matches("<script").count(), 1, "the one of our own");
        assert!(!html.contains("alert(1)</script>"), "escaped");
        assert!(!html.contains(" style=") && !html.contains(" onclick="), "nothing inline");
        assert!(!html.contains("{}") || html.contains("data-text"), "filled in");
        html
    })
}

fn approve(error: Option<&str>, browser_address: Option<&str>, workspace: Option<&str>) -> [String; 2] {
    draw(Template::Approve, |_| {
        of(ApprovePage {
            path: "/device/handle".to_owned(),
            code: "ABCD-EFGH".to_owned(),
            client: "difyctl".to_owned(),
            label: HOSTILE.to_owned(),
            address: "203.0.113.7".to_owned(),
            browser_address: browser_address.map(str::to_owned),
            started: Moment::of_millis(1_764_000_000_000),
            expires_in: 871,
            expires_minutes: "15".to_owned(),
            account_name: "Demo Person".to_owned(),
            account_email: "demo@example.com".to_owned(),
            workspace: workspace.map(str::to_owned),
            error: error.map(str::to_owned),
            command: "difyctl auth login --host https://dify.example".to_owned(),
        })
    })
}

#[test]
fn the_approval_page_shows_the_device_and_asks() {
    for html in approve(None, None, Some("Demo Workspace")) {
        for shown in
            ["ABCD-EFGH", "difyctl", "203.0.113.7", "demo@example.com", "Demo Workspace", "2025-11-24T16:00:00Z"]
        {
            assert!(html.contains(shown), "{shown}");
        }
        assert!(
            html.contains("action=\"/device/handle/approve\"") && html.contains("formaction=\"/device/handle/deny\"")
        );
        assert!(html.contains("name=\"mine\"") && html.contains("value=\"the-csrf-token\""));
        assert!(html.contains("&lt;script&gt;alert(1)"), "the label is text");
        assert!(!html.contains("role=\"note\""));
    }
}

#[test]
fn the_approval_page_warns_of_another_address_and_of_a_missing_tick() {
    for html in approve(Some("Tick the box."), Some("198.51.100.2"), None) {
        assert!(html.contains("role=\"note\"") && html.contains("198.51.100.2"));
        assert!(html.contains("Tick the box.") && html.contains("aria-invalid=\"true\""));
    }
}

#[test]
fn the_sign_in_page_says_what_was_wrong() {
    for error in [None, Some("Wrong.".to_owned())] {
        let page = |_: &Texts| {
            of(SignInPage {
                token: "pre".to_owned(),
                action: "/signin?return=/device/sessions".to_owned(),
                return_to: "/device/sessions".to_owned(),
                for_device: true,
                notice: Some("Signed out.".to_owned()),
                error: error.clone(),
                wrong: error.is_some(),
            })
        };
        for html in draw(Template::SignIn, page) {
            assert!(html.contains("autocomplete=\"username\"") && html.contains("autocomplete=\"current-password\""));
            assert!(html.contains("name=\"signin_token\" value=\"pre\""));
            assert_eq!(html.contains("role=\"alert\""), error.is_some());
        }
    }
}

#[test]
fn the_code_page_says_what_was_wrong() {
    for error in [None, Some("Not a code.".to_owned())] {
        let page = |_: &Texts| of(EnterCodePage { error: error.clone() });
        for html in draw(Template::EnterCode, page) {
            assert!(html.contains("autocomplete=\"off\""));
            assert_eq!(html.contains("role=\"alert\""), error.is_some());
        }
    }
}

fn card(last_used: bool) -> SessionCard {
    SessionCard {
        id: "0199f2c0-0000-7000-8000-000000000001".to_owned(),
        label: HOSTILE.to_owned(),
        client: "difyctl".to_owned(),
        prefix: "dfoa_ab2f".to_owned(),
        created: Moment::of_millis(1_764_000_000_000),
        last_used: last_used.then(|| Moment::of_millis(1_764_000_600_000)),
        expires: Moment::of_millis(1_765_209_600_000),
        current: last_used,
    }
}

#[test]
fn the_sessions_page_lists_pages_and_empties() {
    let page = |_: &Texts| {
        of(SessionsPage {
            done: Some("Revoked.".to_owned()),
            sessions: vec![card(true), card(false)],
            current: Some("0199f2c0-0000-7000-8000-000000000001".to_owned()),
            query: "?current=0199f2c0-0000-7000-8000-000000000001&page=2".to_owned(),
            command: String::new(),
            total: 42,
            number: 2,
            pages: 3,
            previous: Some(1),
            next: Some(3),
        })
    };
    for html in draw(Template::Sessions, page) {
        assert!(html.contains("href=\"/device/sessions/0199f2c0-0000-7000-8000-000000000001/revoke?current=0199f2c0-0000-7000-8000-000000000001&amp;page=2\""));
        assert_eq!(html.matches("class=\"tag here\"").count(), 1, "the current one is marked");
        assert!(html.contains("?page=1&amp;current=") && html.contains("?page=3") && html.contains("role=\"status\""));
        assert!(html.contains("dfoa_ab2f…") && html.contains("/device/sessions/revoke-all"));
    }
    let empty = |_: &Texts| {
        let nothing = SessionsPage {
            done: None,
            sessions: Vec::new(),
            current: None,
            query: String::new(),
            command: "difyctl auth login --host https://dify.example".to_owned(),
            total: 0,
            number: 1,
            pages: 1,
            previous: None,
            next: None,
        };
        of(nothing)
    };
    for html in draw(Template::Sessions, empty) {
        assert!(html.contains("difyctl auth login --host https://dify.example") && !html.contains("revoke-all"));
    }
}

#[test]
fn confirmations_say_what_they_are_about() {
    for session in [true, false] {
        let page = |texts: &Texts| {
            of(ConfirmPage {
                title: texts.get("revoke_title").to_owned(),
                text: texts.get("revoke_text").to_owned(),
                session: session.then(|| card(true)),
                warning: session.then(|| texts.get("revoke_current").to_owned()),
                back: "/device/sessions".to_owned(),
                path: "/device/sessions/x/revoke".to_owned(),
                button: texts.get("revoke").to_owned(),
            })
        };
        for html in draw(Template::Confirm, page) {
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
fn outcomes_say_what_to_do_next() {
    for (notice, shown) in [
        (Notice::approved as fn(&Texts) -> Notice, "/device/sessions"),
        (Notice::denied, "/device/sessions"),
        (|texts| Notice::expired(texts, "difyctl auth login"), "difyctl auth login"),
        (|texts| Notice::session_gone(texts, "/device/sessions?page=3"), "/device/sessions?page=3"),
        (Notice::missing, "/device"),
    ] {
        for html in draw(Template::Notice, |texts| of(notice(texts))) {
            assert!(html.contains(shown));
        }
    }
}

#[test]
fn the_language_switch_keeps_the_page() {
    let look = Look::new().expect("a look");
    let frame = Frame {
        language: Language::English,
        here: "/device/sessions?page=2",
        back_to: "/device",
        person: None,
        csrf: "",
    };
    let html = look.draw(Template::EnterCode, &frame, &EnterCodePage::default()).expect("a page");
    assert!(html.contains("&amp;lang=zh") && !html.contains("lang=en\""), "only the other language is a link");
    assert!(!html.contains("/device/signout"), "nobody is signed in");
}
