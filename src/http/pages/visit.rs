//! One visit to a page: what came in, who came, and how the answer goes out. The pipeline is asked here, for every page.

use std::{convert::Infallible, sync::Arc};

use axum::{
    body::Body,
    extract::{FromRequestParts as _, RawPathParams, Request},
    response::Response,
    routing::{MethodFilter, MethodRouter, on},
};
use chrono::TimeDelta;
use http::{
    HeaderName, HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY},
    request::Parts,
};
use serde::Serialize;

use super::{
    Site, carries_form,
    form::Form,
    language::{self, Language, Texts},
    look::{Frame, Person, Template},
    return_target::ReturnTarget,
    routes::Page,
    sessions::on_list,
};
use crate::{
    domain::{
        Result,
        caller::{ClientAddress, ConsoleCaller},
        id::TokenId,
        subject::Subject,
    },
    http::answer::set_cookie,
    pipeline::{
        browser::{FormCsrf, csrf_mismatch, no_session},
        cookie,
        fetch_site::is_cross_site,
        policy::Policy,
    },
    rpc::reply::CSRF_TOKEN,
};

/// Nothing from elsewhere, nothing inline, no frames.
const SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; \
                               base-uri 'none'; frame-ancestors 'none'";

/// How long a chosen language is remembered.
const LANGUAGE_LIFETIME: TimeDelta = TimeDelta::days(365);

/// A visit.
pub(super) struct Visit {
    /// The site.
    pub site: Arc<Site>,
    /// The request without its body; the pipeline leaves the caller in its extensions.
    pub parts: Parts,
    /// What was posted; empty otherwise.
    pub form: Form,
    language: Language,
    params: Vec<(String, String)>,
}

/// A page's handler.
pub(super) fn mount(site: &Arc<Site>, page: &'static Page) -> MethodRouter {
    let site = Arc::clone(site);
    let filter = match page.policy.http.map(|http| http.verb) {
        Some("POST") => MethodFilter::POST,
        _ => MethodFilter::GET,
    };
    on(filter, move |request: Request| {
        let site = Arc::clone(&site);
        async move { Ok::<_, Infallible>(serve(site, page, request).await) }
    })
}

/// Lets a visit in, draws its page, and sends it out.
pub(super) async fn serve(site: Arc<Site>, page: &'static Page, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let mut visit = Visit::begin(site, parts).await;
    let admitted = visit.admit(page, body).await;
    let visit = Arc::new(visit);
    let drawn = match admitted {
        Ok(()) => match visit.told() {
            Some(error) => visit.notice(StatusCode::OK, &error),
            None => (page.draw)(Arc::clone(&visit)).await,
        },
        Err(error) => Err(error),
    };
    let mut response = drawn.unwrap_or_else(|error| visit.refuse(&error));
    visit.finish(&mut response);
    // The edge names requests by it: a page's path may hold a handle.
    let policy: &'static Policy = &page.policy;
    response.extensions_mut().insert(policy);
    response
}

impl Visit {
    async fn begin(site: Arc<Site>, mut parts: Parts) -> Self {
        let params = match RawPathParams::from_request_parts(&mut parts, &()).await {
            Ok(params) => params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            // Not UTF-8: no page has such a name.
            Err(_) => Vec::new(),
        };
        let mut visit = Self { site, parts, form: Form::default(), language: Language::default(), params };
        let remembered = || Language::of_tag(visit.cookie(language::NAME)?);
        visit.language = visit
            .switched()
            .or_else(remembered)
            .or_else(|| Language::accepted(&visit.parts.headers))
            .unwrap_or_default();
        visit
    }

    /// The form is read before the pipeline is asked, as it holds the proof that the page was ours.
    async fn admit(&mut self, page: &'static Page, body: Body) -> Result<()> {
        if self.is_embedded_elsewhere() {
            return Err(csrf_mismatch());
        }
        if carries_form(&self.parts.method) {
            self.form = Form::read(&self.parts, body).await?;
            if let Some(token) = self.form.secret(CSRF_TOKEN) {
                self.parts.extensions.insert(FormCsrf(token.clone()));
            }
        }
        self.site.pipeline.admit(&page.policy, &mut self.parts).await
    }

    /// Whether another site made the browser ask for this in passing, as a picture or within a frame. Counted, that would
    /// spend what its visitor may do here; a link that is followed is another matter.
    fn is_embedded_elsewhere(&self) -> bool {
        let headers = &self.parts.headers;
        is_cross_site(headers) && headers.get("sec-fetch-dest").is_some_and(|dest| dest.as_bytes() != b"document")
    }

    /// Who is signed in, if anyone.
    pub(super) fn find_caller(&self) -> Option<&ConsoleCaller> {
        self.parts.extensions.get()
    }

    /// Who is signed in.
    pub(super) fn caller(&self) -> Result<&ConsoleCaller> {
        self.find_caller().ok_or_else(no_session)
    }

    /// The subject of the account that is signed in.
    pub(super) fn subject(&self) -> Result<Subject> {
        let account = &self.caller()?.account;
        Ok(Subject::Account { id: account.id, email: account.email.clone() })
    }

    /// Where the browser is.
    pub(super) fn address(&self) -> Result<ClientAddress> {
        ClientAddress::required(self.parts.extensions.get())
    }

    /// A part of the path; empty when there is none of that name.
    pub(super) fn param(&self, name: &str) -> &str {
        self.params.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    /// A parameter of the query; the first of its name.
    pub(super) fn query(&self, name: &str) -> Option<String> {
        let query = self.parts.uri.query()?;
        form_urlencoded::parse(query.as_bytes()).find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
    }

    /// A cookie of ours by its base name.
    pub(super) fn cookie(&self, base: &str) -> Option<&str> {
        cookie::find_in(&self.parts.headers, &self.site.rpc.cookies.name(base))
    }

    /// Where to go afterwards, from the form or the query.
    pub(super) fn return_target(&self) -> ReturnTarget {
        let named = if carries_form(&self.parts.method) {
            Some(self.form.text("return").to_owned())
        } else {
            self.query("return")
        };
        named.map_or(ReturnTarget::EnterCode, |text| ReturnTarget::parse(&text))
    }

    /// The page that this one belongs to: itself, or the one whose form was sent here.
    pub(super) fn home(&self) -> ReturnTarget {
        match ReturnTarget::of_path(self.parts.uri.path()) {
            ReturnTarget::Sessions(_) => ReturnTarget::Sessions(self.current()),
            target => target,
        }
    }

    /// The address of that page; of the list, the page of it that is shown or was left.
    pub(super) fn back(&self) -> String {
        match self.home() {
            ReturnTarget::Sessions(current) => on_list("/device/sessions", current, self.page()),
            target => target.path(),
        }
    }

    /// The page of the list of sessions, from 1.
    pub(super) fn page(&self) -> u32 {
        self.query("page").and_then(|page| page.parse().ok()).unwrap_or(1)
    }

    /// The session that the person came from, as the link says that brought them. Anyone can write a link, so it is
    /// nothing but a mark on the account's own list.
    pub(super) fn current(&self) -> Option<TokenId> {
        self.query("current")?.parse().ok()
    }

    /// The texts in the language of the visit.
    pub(super) fn texts(&self) -> &Texts {
        self.site.look.texts(self.language)
    }

    /// Draws a page.
    pub(super) fn draw(&self, status: StatusCode, template: Template, page: &impl Serialize) -> Result<Response> {
        let caller = self.find_caller();
        let frame = Frame {
            language: self.language,
            here: &self.here(),
            back_to: &self.home().path(),
            person: caller.map(|caller| Person { email: &caller.account.email, can_sign_out: self.site.standalone }),
            csrf: self.cookie(CSRF_TOKEN).filter(|_| caller.is_some()).unwrap_or_default(),
        };
        let html = self.site.look.draw(template, &frame, page)?;
        let mut response = Response::new(Body::from(html));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        Ok(response)
    }

    /// This page's address without anything that should not be said twice; for a post, the page it belongs to.
    fn here(&self) -> String {
        let path = self.parts.uri.path();
        if matches!(path, "/signin" | "/signin/refresh") {
            return self.return_target().append_to("/signin");
        }
        if carries_form(&self.parts.method) {
            return self.home().path();
        }
        let page = self.query("page").and_then(|page| page.parse::<u32>().ok());
        let kept = [page.map(|page| format!("page={page}")), self.current().map(|id| format!("current={id}"))];
        let kept: Vec<_> = kept.into_iter().flatten().collect();
        if kept.is_empty() { path.to_owned() } else { format!("{path}?{}", kept.join("&")) }
    }

    /// The language just chosen with the switch.
    fn switched(&self) -> Option<Language> {
        Language::of_tag(&self.query(language::NAME)?)
    }

    fn finish(&self, response: &mut Response) {
        if let Some(language) = self.switched() {
            let cookie = self.site.rpc.cookies.cookie(language::NAME, language.tag(), Some(LANGUAGE_LIFETIME), true);
            set_cookie(response, &cookie);
        }
        let headers = response.headers_mut();
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(SECURITY_POLICY));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
        headers.insert(HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin"));
        headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    }
}

/// Sends the browser on with a GET, so that refreshing and going back repeat nothing.
pub(super) fn see_other(location: &str) -> Response {
    let mut response = Response::new(Body::empty());
    match HeaderValue::from_str(location) {
        Ok(value) => {
            *response.status_mut() = StatusCode::SEE_OTHER;
            response.headers_mut().insert(LOCATION, value);
        }
        Err(_) => *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR,
    }
    response
}

/// An address with one more parameter.
pub(super) fn with(address: &str, parameter: &str) -> String {
    let separator = if address.contains('?') { '&' } else { '?' };
    format!("{address}{separator}{parameter}")
}
