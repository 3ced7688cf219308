//! The context of one request for a page: its parameters, form, language and caller.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{FromRequestParts as _, RawPathParams},
    response::Response,
};
use http::{
    HeaderValue, Method, StatusCode,
    header::{CONTENT_TYPE, USER_AGENT},
    request::Parts,
};
use serde::Serialize;

use super::{
    form::Form,
    language::{self, Language},
    location::{SESSIONS, with_list_position, with_parameter},
    notice::{self, Notice},
    renderer::{Layout, PageTemplate, SignedInUser},
    return_target::ReturnTarget,
    site::Site,
    texts::Texts,
};
use crate::{
    domain::{
        Result,
        caller::{ClientAddress, ConsoleCaller},
        client_commands::ClientCommand,
        id::TokenId,
        request_origin::RequestOrigin,
        subject::Subject,
        user_code::UserCode,
    },
    pipeline::{browser::no_session, cookie},
    rpc::reply::CSRF_TOKEN,
};

/// Query parameter of the code form: the sealed code that it is filled in with.
pub(super) const PREFILL: &str = "prefill";
/// Query parameter of the code form: the person types the last characters of the code.
pub(super) const PARTIAL: &str = "partial";

/// A request for a page.
pub(super) struct PageContext {
    pub site: Arc<Site>,
    /// The request without its body. The pipeline puts the caller into the extensions.
    pub parts: Parts,
    /// The posted form; empty for other methods.
    pub form: Form,
    language: Language,
    notice: Option<Notice>,
    path_params: Vec<(String, String)>,
}

impl PageContext {
    pub(super) async fn new(site: Arc<Site>, mut parts: Parts) -> Self {
        let path_params = match RawPathParams::from_request_parts(&mut parts, &()).await {
            Ok(params) => params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            // The path is not UTF-8, so it names nothing.
            Err(_) => Vec::new(),
        };
        let (form, language) = (Form::default(), Language::default());
        let mut context = Self { site, parts, form, language, notice: None, path_params };
        context.notice = context.read_notice();
        let remembered = || Language::of_tag(context.cookie(language::NAME)?);
        context.language = context
            .switched_language()
            .or_else(remembered)
            .or_else(|| Language::accepted(&context.parts.headers))
            .unwrap_or_default();
        context
    }

    /// Whether the request carries a form.
    pub(super) fn is_post(&self) -> bool {
        self.parts.method == Method::POST
    }

    /// The signed-in caller, if there is one.
    pub(super) fn find_caller(&self) -> Option<&ConsoleCaller> {
        self.parts.extensions.get()
    }

    /// The signed-in caller; `no_session` without one.
    pub(super) fn caller(&self) -> Result<&ConsoleCaller> {
        self.find_caller().ok_or_else(no_session)
    }

    /// The caller's account as a subject; `no_session` without a caller.
    pub(super) fn subject(&self) -> Result<Subject> {
        let account = &self.caller()?.account;
        Ok(Subject::Account { id: account.id, email: account.email.clone() })
    }

    pub(super) fn client_address(&self) -> Result<ClientAddress> {
        ClientAddress::required(self.parts.extensions.get())
    }

    /// Where and with what the request was sent.
    pub(super) fn request_origin(&self) -> Result<RequestOrigin> {
        let user_agent = self.parts.headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
        Ok(RequestOrigin::new(self.client_address()?, user_agent))
    }

    /// A parameter of the path; empty when the route has no parameter of that name.
    pub(super) fn path_param(&self, name: &str) -> &str {
        self.path_params.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    /// A parameter of the query; the first of that name.
    pub(super) fn query_param(&self, name: &str) -> Option<String> {
        let query = self.parts.uri.query()?;
        form_urlencoded::parse(query.as_bytes()).find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
    }

    /// A cookie of this service by its base name.
    pub(super) fn cookie(&self, base: &str) -> Option<&str> {
        cookie::find_in(&self.parts.headers, &self.site.services.cookies.name(base))
    }

    /// A cookie of this host only, by its full name.
    pub(super) fn host_cookie(&self, name: &str) -> Option<&str> {
        cookie::find_in(&self.parts.headers, name)
    }

    /// Whether the request belongs to the single sign-on of an external identity, which has no page of an account.
    pub(super) fn is_external(&self) -> bool {
        self.parts.uri.path().starts_with("/openapi/v1/oauth/device/")
    }

    /// The URL of the host of the pages, for links of external identities; empty for the same host.
    pub(super) fn pages_url(&self) -> &str {
        if self.is_external() { self.site.pages_url() } else { "" }
    }

    /// The page to show after signing in or out, as the form or the query names it.
    pub(super) fn return_target(&self) -> ReturnTarget {
        let named = if self.is_post() { Some(self.form.text("return").to_owned()) } else { self.query_param("return") };
        named.map_or(ReturnTarget::EnterCode, |text| ReturnTarget::parse(&text))
    }

    /// The page that this request belongs to: the requested page itself, or the page whose form was posted.
    pub(super) fn base_page(&self) -> ReturnTarget {
        match ReturnTarget::containing(self.parts.uri.path()) {
            ReturnTarget::Sessions(_) => ReturnTarget::Sessions(self.current_session_id()),
            target => target,
        }
    }

    /// The address of that page. For the sessions list it includes the page of the list.
    pub(super) fn base_page_url(&self) -> String {
        match self.base_page() {
            ReturnTarget::Sessions(current) => with_list_position(SESSIONS, current, self.list_page()),
            target @ ReturnTarget::EnterCode => match self.sealed_prefill() {
                Some(sealed) => with_parameter(&target.path(), &format!("{PREFILL}={sealed}")),
                None => target.path(),
            },
            target @ (ReturnTarget::Device(_) | ReturnTarget::Connections) => target.path(),
        }
    }

    /// The sealed code of the form that was submitted, or with which the form is filled in.
    fn sealed_prefill(&self) -> Option<String> {
        if self.is_post() {
            let code = UserCode::parse(self.form.text("user_code")).ok()?;
            return self.site.seal_prefill(&code).ok();
        }
        self.query_param(PREFILL).filter(|_| self.prefilled_code().is_some())
    }

    /// The code with which the form is filled in.
    pub(super) fn prefilled_code(&self) -> Option<UserCode> {
        self.site.open_prefill(&self.query_param(PREFILL)?)
    }

    /// The commands that get a new code: that of the client which asked for the code of this page, if it is known.
    pub(super) fn commands(&self) -> Vec<ClientCommand> {
        let handle = match self.base_page() {
            ReturnTarget::Device(handle) => self.site.open_handle(&handle),
            _ => None,
        };
        match handle.and_then(|handle| handle.client) {
            Some(tag) => self.site.client_commands.of_tag(tag),
            None => self.site.client_commands.of_unknown_client(),
        }
    }

    /// The page of the sessions list, from 1; 1 when the query has none or an invalid one.
    pub(super) fn list_page(&self) -> u32 {
        self.query_param("page").and_then(|page| page.parse().ok()).unwrap_or(1)
    }

    /// The id of the session that the query calls the current one. Anyone can write a link, so the id is only used to
    /// mark an entry of the account's own list.
    pub(super) fn current_session_id(&self) -> Option<TokenId> {
        self.query_param("current")?.parse().ok()
    }

    fn read_notice(&self) -> Option<Notice> {
        self.site.read_notice(&self.query_param(notice::PARAMETER)?, self.notice_cookie()?)
    }

    /// The cookie for which notices are signed.
    pub(super) fn notice_cookie(&self) -> Option<&str> {
        self.cookie(notice::COOKIE).filter(|value| notice::is_cookie(value))
    }

    /// The name of the notice that the page has to show.
    pub(super) fn notice(&self) -> Option<&str> {
        self.notice.as_ref().map(|notice| notice.word.as_str())
    }

    /// The language that this request chose with the language switch.
    pub(super) fn switched_language(&self) -> Option<Language> {
        Language::of_tag(&self.query_param(language::NAME)?)
    }

    /// The language of the request, as manifests of Dify's plugins name it.
    pub(super) fn manifest_language(&self) -> &str {
        self.texts().get("manifest_language")
    }

    /// The texts in the language of the request.
    pub(super) fn texts(&self) -> &Texts {
        self.site.renderer.texts(self.language)
    }

    /// Renders a page as a response.
    pub(super) fn render(&self, status: StatusCode, template: PageTemplate, page: &impl Serialize) -> Result<Response> {
        let caller = self.find_caller();
        let layout = Layout {
            language: self.language,
            is_external: self.is_external(),
            pages_url: self.pages_url(),
            page_url: &self.canonical_url(),
            return_to: &self.base_page().path(),
            user: caller
                .map(|caller| SignedInUser { email: &caller.account.email, can_sign_out: self.site.standalone }),
            has_connections: self.site.connections,
            csrf_token: self.cookie(CSRF_TOKEN).filter(|_| caller.is_some()).unwrap_or_default(),
        };
        let html = self.site.renderer.render(template, &layout, page)?;
        let mut response = Response::new(Body::from(html));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        Ok(response)
    }

    /// The address of this page without parameters that report a one-time event; for a POST, that of its base page.
    fn canonical_url(&self) -> String {
        let path = self.parts.uri.path();
        if matches!(path, "/signin" | "/signin/refresh") {
            return self.return_target().append_to("/signin");
        }
        if self.is_post() {
            return self.base_page().path();
        }
        let page = self.query_param("page").and_then(|page| page.parse::<u32>().ok());
        let kept = [
            page.map(|page| format!("page={page}")),
            self.current_session_id().map(|id| format!("current={id}")),
            self.sealed_prefill().map(|sealed| format!("{PREFILL}={sealed}")),
            self.query_param(PARTIAL).map(|_| format!("{PARTIAL}=yes")),
        ];
        let kept: Vec<_> = kept.into_iter().flatten().collect();
        if kept.is_empty() { path.to_owned() } else { format!("{path}?{}", kept.join("&")) }
    }

    /// What is left of the wait in the notice: zero after its end, `None` when the notice has none.
    pub(super) fn remaining_wait(&self) -> Option<Duration> {
        let end = self.notice.as_ref()?.until?;
        let seconds = end.saturating_sub(self.site.clock.now().timestamp());
        Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
    }
}
