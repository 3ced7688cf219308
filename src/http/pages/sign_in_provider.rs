//! Where people sign in: on this service's own page, or in Dify's console.

use url::Url;

use super::return_target::ReturnTarget;

/// The page on which people sign in.
pub(super) enum SignInProvider {
    /// `/signin` of this service.
    Local,
    /// The console of Dify.
    DifyConsole {
        /// Its sign-in page, if configured.
        sign_in_url: Option<Url>,
        /// This service's own URL.
        issuer: String,
        /// Whether the sign-in page has the same origin as this service.
        same_origin: bool,
    },
}

/// How the browser gets to the sign-in page.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum SignInNavigation {
    /// By a redirect to this address.
    Redirect(String),
    /// By a link to this address, if it is known. The content security policy forbids that a submitted form ends on
    /// another origin, also after a redirect.
    Link(Option<String>),
}

impl SignInProvider {
    pub(super) fn new(standalone: bool, issuer: &str, console_sign_in_url: Option<&str>) -> Self {
        if standalone {
            return Self::Local;
        }
        let sign_in_url = console_sign_in_url.and_then(|url| Url::parse(url).ok());
        let own_origin = Url::parse(issuer).ok().map(|url| url.origin());
        let same_origin = sign_in_url.as_ref().is_some_and(|url| Some(url.origin()) == own_origin);
        Self::DifyConsole { sign_in_url, issuer: issuer.to_owned(), same_origin }
    }

    /// How to get to the sign-in page, and back to a page afterwards.
    pub(super) fn navigation(&self, target: &ReturnTarget) -> SignInNavigation {
        match self {
            Self::Local => SignInNavigation::Redirect(target.append_to("/signin")),
            Self::DifyConsole { sign_in_url, issuer, same_origin } => {
                let href = sign_in_url.clone().map(|mut url| {
                    url.query_pairs_mut().append_pair("redirect_url", &format!("{issuer}{}", target.path()));
                    url.to_string()
                });
                match href {
                    Some(href) if *same_origin => SignInNavigation::Redirect(href),
                    href => SignInNavigation::Link(href),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn navigation(standalone: bool, console: Option<&str>) -> SignInNavigation {
        SignInProvider::new(standalone, "https://dify.example", console).navigation(&ReturnTarget::Sessions(None))
    }

    #[test]
    fn standalone_sign_in_is_a_redirect_to_the_own_page() {
        assert_eq!(navigation(true, None), SignInNavigation::Redirect("/signin?return=/device/sessions".to_owned()));
    }

    #[test]
    fn sign_in_beside_dify_leads_to_its_console_and_back() {
        let query = "redirect_url=https%3A%2F%2Fdify.example%2Fdevice%2Fsessions";
        assert_eq!(
            navigation(false, Some("https://dify.example/signin")),
            SignInNavigation::Redirect(format!("https://dify.example/signin?{query}"))
        );
        assert_eq!(
            navigation(false, Some("https://other.example/signin")),
            SignInNavigation::Link(Some(format!("https://other.example/signin?{query}")))
        );
        assert_eq!(navigation(false, None), SignInNavigation::Link(None));
    }
}
