//! How pages are drawn: templates and texts, compiled into the binary and read once, escaped as HTML throughout.

use minijinja::{Environment, UndefinedBehavior, Value, value::Serde};
use serde::Serialize;

use super::{
    assets::Assets,
    language::{self, Language, Texts},
    visit::with,
};
use crate::domain::{Error, Result};

/// A page's template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Template {
    /// Signing in.
    SignIn,
    /// Entering a code.
    EnterCode,
    /// Deciding about a device.
    Approve,
    /// An outcome, good or bad.
    Notice,
    /// The list of sessions.
    Sessions,
    /// Asking once more.
    Confirm,
}

impl Template {
    const ALL: [Self; 6] = [Self::SignIn, Self::EnterCode, Self::Approve, Self::Notice, Self::Sessions, Self::Confirm];

    const fn name(self) -> &'static str {
        match self {
            Self::SignIn => "sign_in.html",
            Self::EnterCode => "enter_code.html",
            Self::Approve => "approve.html",
            Self::Notice => "notice.html",
            Self::Sessions => "sessions.html",
            Self::Confirm => "confirm.html",
        }
    }

    const fn source(self) -> &'static str {
        match self {
            Self::SignIn => include_str!("templates/sign_in.html"),
            Self::EnterCode => include_str!("templates/enter_code.html"),
            Self::Approve => include_str!("templates/approve.html"),
            Self::Notice => include_str!("templates/notice.html"),
            Self::Sessions => include_str!("templates/sessions.html"),
            Self::Confirm => include_str!("templates/confirm.html"),
        }
    }
}

/// Who is signed in, as the top of each page says.
#[derive(Debug, Serialize)]
pub(super) struct Person<'a> {
    /// Their email address.
    pub email: &'a str,
    /// Whether they sign out here; beside Dify they do so in its console.
    pub can_sign_out: bool,
}

/// What every page has around it.
pub(super) struct Frame<'a> {
    /// The language.
    pub language: Language,
    /// Where the language switch leads: this page, or the one to go to from it.
    pub here: &'a str,
    /// Where signing out and in again leads.
    pub back_to: &'a str,
    /// Who is signed in.
    pub person: Option<Person<'a>>,
    /// The token of this page's forms.
    pub csrf: &'a str,
}

#[derive(Serialize)]
struct LanguageLink {
    tag: &'static str,
    name: &'static str,
    href: String,
}

#[derive(Serialize)]
struct Scene<'a, P> {
    lang: &'static str,
    t: Value,
    languages: Vec<LanguageLink>,
    assets: &'a Assets,
    here: &'a str,
    back_to: &'a str,
    person: &'a Option<Person<'a>>,
    csrf: &'a str,
    page: &'a P,
}

/// The templates, texts and assets.
pub(super) struct Look {
    environment: Environment<'static>,
    english: Texts,
    chinese: Texts,
    assets: Assets,
}

impl Look {
    /// Compiles everything.
    pub(super) fn new() -> Result<Self> {
        let mut environment = Environment::new();
        // A value that is not there is a fault of ours, which tests find, and never an empty space.
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.add_filter("fill", |text: String, value: String| language::fill(&text, value));
        environment.add_template("base.html", include_str!("templates/base.html")).map_err(Error::internal)?;
        environment.add_template("command.html", include_str!("templates/command.html")).map_err(Error::internal)?;
        for template in Template::ALL {
            environment.add_template(template.name(), template.source()).map_err(Error::internal)?;
        }
        let (english, chinese) = (Texts::read(Language::English)?, Texts::read(Language::Chinese)?);
        Ok(Self { environment, english, chinese, assets: Assets::new() })
    }

    /// The texts of a language.
    pub(super) fn texts(&self, language: Language) -> &Texts {
        match language {
            Language::English => &self.english,
            Language::Chinese => &self.chinese,
        }
    }

    /// Where the assets are.
    pub(super) fn assets(&self) -> &Assets {
        &self.assets
    }

    /// Draws a page.
    pub(super) fn draw(&self, template: Template, frame: &Frame<'_>, page: &impl Serialize) -> Result<String> {
        let link = |language: Language| LanguageLink {
            tag: language.tag(),
            name: language.name(),
            href: with(frame.here, &format!("{}={}", language::NAME, language.tag())),
        };
        let scene = Scene {
            lang: frame.language.tag(),
            t: self.texts(frame.language).value(),
            languages: Language::ALL.map(link).into(),
            assets: &self.assets,
            here: frame.here,
            back_to: frame.back_to,
            person: &frame.person,
            csrf: frame.csrf,
            page,
        };
        let template = self.environment.get_template(template.name()).map_err(Error::internal)?;
        template.render(Value::from(Serde(&scene))).map_err(Error::internal)
    }
}

#[cfg(test)]
#[path = "look/tests.rs"]
mod tests;
