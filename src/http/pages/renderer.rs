//! Renders pages as HTML. Templates and texts are compiled into the binary and loaded once; all values are escaped.

use minijinja::{Environment, UndefinedBehavior, Value, value::Serde};
use serde::Serialize;

use super::{
    assets::{AssetPaths, Assets, EXTERNAL_FOLDER, FOLDER},
    language::{self, Language},
    location::with_parameter,
    texts::{Texts, fill},
};
use crate::domain::{Error, Result, branding::Branding};

/// The template of a page's main part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PageTemplate {
    SignIn,
    Continue,
    EnterCode,
    Approve,
    Message,
    Sessions,
    Confirm,
    Rename,
    SsoStart,
    Connections,
    ConnectionProvider,
    Connected,
    ApiReference,
}

impl PageTemplate {
    const ALL: [Self; 13] = [
        Self::SignIn,
        Self::Continue,
        Self::EnterCode,
        Self::Approve,
        Self::Message,
        Self::Sessions,
        Self::Confirm,
        Self::Rename,
        Self::SsoStart,
        Self::Connections,
        Self::ConnectionProvider,
        Self::Connected,
        Self::ApiReference,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::SignIn => "sign_in.html",
            Self::Continue => "continue.html",
            Self::EnterCode => "enter_code.html",
            Self::Approve => "approve.html",
            Self::Message => "message.html",
            Self::Sessions => "sessions.html",
            Self::Confirm => "confirm.html",
            Self::Rename => "rename.html",
            Self::SsoStart => "sso_start.html",
            Self::Connections => "connections.html",
            Self::ConnectionProvider => "connection_provider.html",
            Self::Connected => "connected.html",
            Self::ApiReference => "api_reference.html",
        }
    }

    const fn source(self) -> &'static str {
        match self {
            Self::SignIn => include_str!("templates/sign_in.html"),
            Self::Continue => include_str!("templates/continue.html"),
            Self::EnterCode => include_str!("templates/enter_code.html"),
            Self::Approve => include_str!("templates/approve.html"),
            Self::Message => include_str!("templates/message.html"),
            Self::Sessions => include_str!("templates/sessions.html"),
            Self::Confirm => include_str!("templates/confirm.html"),
            Self::Rename => include_str!("templates/rename.html"),
            Self::SsoStart => include_str!("templates/sso_start.html"),
            Self::Connections => include_str!("templates/connections.html"),
            Self::ConnectionProvider => include_str!("templates/connection_provider.html"),
            Self::Connected => include_str!("templates/connected.html"),
            Self::ApiReference => include_str!("templates/api_reference.html"),
        }
    }
}

/// The signed-in user in the header of a page.
#[derive(Debug, Serialize)]
pub(super) struct SignedInUser<'a> {
    pub email: &'a str,
    /// Whether the header has a sign-out button; beside Dify people sign out in its console.
    pub can_sign_out: bool,
}

/// The values of the layout around every page: header, footer and the CSRF token of forms.
pub(super) struct Layout<'a> {
    pub language: Language,
    /// Whether this is a page of external identities, on the host of the API.
    pub is_external: bool,
    /// The URL of the host of the other pages; empty for the same host.
    pub pages_url: &'a str,
    /// The address that the language switch reloads.
    pub page_url: &'a str,
    /// The path to show after signing out and in again.
    pub return_to: &'a str,
    pub user: Option<SignedInUser<'a>>,
    /// Empty when no user is signed in.
    pub csrf_token: &'a str,
    /// Whether the footer links to the page of connections.
    pub has_connections: bool,
}

/// A language in the language switch.
#[derive(Serialize)]
struct LanguageLink<'a> {
    tag: &'static str,
    /// In the language itself.
    name: &'a str,
    href: String,
}

/// The organization's name and links.
#[derive(Serialize)]
struct Brand {
    name: String,
    help_url: Option<String>,
    privacy_url: Option<String>,
    terms_url: Option<String>,
    sign_in_help_url: Option<String>,
}

/// The variables of all templates.
#[derive(Serialize)]
struct TemplateVariables<'a, P> {
    lang: &'static str,
    t: Value,
    languages: Vec<LanguageLink<'a>>,
    assets: &'a AssetPaths,
    brand: &'a Brand,
    pages_url: &'a str,
    page_url: &'a str,
    return_to: &'a str,
    user: &'a Option<SignedInUser<'a>>,
    csrf_token: &'a str,
    has_connections: bool,
    page: &'a P,
}

/// Templates, texts and asset paths.
pub(super) struct Renderer {
    environment: Environment<'static>,
    /// In the order of [`Language::all`].
    texts: Vec<Texts>,
    pub(super) assets: Assets,
    paths: AssetPaths,
    external_paths: AssetPaths,
    brand: Brand,
}

impl Renderer {
    /// Fails only when a template or a text file is invalid.
    pub(super) fn new(branding: &Branding) -> Result<Self> {
        let mut environment = Environment::new();
        // An undefined variable is a bug; it must fail a test and not render as an empty string.
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.add_filter("fill", |text: String, value: String| fill(&text, value));
        environment.add_template("base.html", include_str!("templates/base.html")).map_err(Error::internal)?;
        environment.add_template("command.html", include_str!("templates/command.html")).map_err(Error::internal)?;
        for template in PageTemplate::ALL {
            environment.add_template(template.name(), template.source()).map_err(Error::internal)?;
        }
        let texts = Language::all().into_iter().map(Texts::load).collect::<Result<_>>()?;
        let assets = Assets::new(branding);
        let (paths, external_paths) = (assets.paths(FOLDER), assets.paths(EXTERNAL_FOLDER));
        let brand = Brand {
            name: branding.name.clone(),
            help_url: branding.help_url.clone(),
            privacy_url: branding.privacy_url.clone(),
            terms_url: branding.terms_url.clone(),
            sign_in_help_url: branding.sign_in_help_url.clone(),
        };
        Ok(Self { environment, texts, assets, paths, external_paths, brand })
    }

    pub(super) fn texts(&self, language: Language) -> &Texts {
        &self.texts[language.index()]
    }

    /// The HTML of a page. `page` becomes the template variable of that name.
    pub(super) fn render(&self, template: PageTemplate, layout: &Layout<'_>, page: &impl Serialize) -> Result<String> {
        let link = |language: Language| LanguageLink {
            tag: language.tag(),
            name: self.texts(language).get("language_name"),
            href: with_parameter(layout.page_url, &format!("{}={}", language::NAME, language.tag())),
        };
        let variables = TemplateVariables {
            lang: layout.language.tag(),
            t: self.texts(layout.language).value(),
            languages: Language::all().map(link).into(),
            assets: if layout.is_external { &self.external_paths } else { &self.paths },
            brand: &self.brand,
            pages_url: layout.pages_url,
            page_url: layout.page_url,
            return_to: layout.return_to,
            user: &layout.user,
            csrf_token: layout.csrf_token,
            has_connections: layout.has_connections,
            page,
        };
        let template = self.environment.get_template(template.name()).map_err(Error::internal)?;
        template.render(Value::from(Serde(&variables))).map_err(Error::internal)
    }
}

#[cfg(test)]
#[path = "renderer/tests.rs"]
mod tests;
