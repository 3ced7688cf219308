//! Every page in one table: its path, who may see it, how often, and who draws it.

use std::{pin::Pin, sync::Arc};

use axum::response::Response;
use http::StatusCode;

use super::{
    approval, assets, enter_code, form,
    look::Template,
    notice::Notice,
    revocation, sessions, sign_in,
    visit::{Visit, see_other},
};
use crate::{
    domain::{Result, limit::LimitName},
    pipeline::policy::{Credential, ErrorShape, HttpRoute, Policy, Presence},
};

/// A page being drawn.
pub(super) type Drawing = Pin<Box<dyn Future<Output = Result<Response>> + Send>>;

/// A page.
pub(super) struct Page {
    /// Who may see it, where, how often.
    pub policy: Policy,
    /// Draws it for a visit that was let in.
    pub draw: fn(Arc<Visit>) -> Drawing,
}

use Credential::{ConsoleSession, Public};
use Presence::Standalone;

/// The pages there are.
pub(super) static PAGES: &[Page] = &[
    // Signing in and out, standalone only.
    Page {
        policy: Policy { presence: Standalone, ..get("Pages.ShowSignIn", "/signin", Public) },
        draw: |v| Box::pin(async move { sign_in::show(&v) }),
    },
    Page {
        policy: Policy { presence: Standalone, ..post("Pages.SignIn", "/signin", Public) },
        draw: |v| Box::pin(async move { sign_in::submit(&v).await }),
    },
    Page {
        policy: Policy {
            limits: &[LimitName::Refresh],
            presence: Standalone,
            ..get("Pages.RefreshSignIn", "/signin/refresh", Public)
        },
        draw: |v| Box::pin(async move { sign_in::refresh(&v).await }),
    },
    Page {
        policy: Policy { presence: Standalone, ..post("Pages.SignOut", "/device/signout", ConsoleSession) },
        draw: |v| Box::pin(async move { sign_in::sign_out(&v).await }),
    },
    Page {
        policy: Policy { presence: Standalone, ..address("Pages.ReopenSignOut", "/device/signout") },
        draw: |v| Box::pin(async move { Ok(see_other(&v.home().path())) }),
    },
    // Whoever comes without an address in mind has a code in hand.
    Page {
        policy: Policy { session: false, presence: Standalone, ..get("Pages.Front", "/", Public) },
        draw: |_| Box::pin(async { Ok(see_other("/device")) }),
    },
    // A device. Entering a code changes nothing, so it needs nobody to be signed in.
    Page { policy: get("Pages.EnterCode", "/device", Public), draw: |v| Box::pin(async move { enter_code::show(&v) }) },
    Page {
        policy: post("Pages.SubmitCode", "/device", Public),
        draw: |v| Box::pin(async move { enter_code::submit(&v) }),
    },
    Page {
        policy: address("Pages.EnterCodeWithSlash", "/device/"),
        draw: |v| Box::pin(async move { enter_code::show_without_slash(&v) }),
    },
    Page {
        policy: Policy {
            limits: &[LimitName::Lookup],
            ..get("Pages.ReviewDevice", "/device/{handle}", ConsoleSession)
        },
        draw: |v| Box::pin(async move { approval::show(&v).await }),
    },
    Page {
        policy: Policy {
            limits: &[LimitName::Approve],
            ..post("Pages.ApproveDevice", "/device/{handle}/approve", ConsoleSession)
        },
        draw: |v| Box::pin(async move { approval::approve(&v).await }),
    },
    Page {
        policy: Policy {
            limits: &[LimitName::Approve],
            ..post("Pages.DenyDevice", "/device/{handle}/deny", ConsoleSession)
        },
        draw: |v| Box::pin(async move { approval::deny(&v).await }),
    },
    // Where a decision was not to be made, its page stays under the address of the form.
    Page {
        policy: address("Pages.ReopenApproval", "/device/{handle}/approve"),
        draw: |v| Box::pin(async move { Ok(see_other(&v.home().path())) }),
    },
    Page {
        policy: address("Pages.ReopenDenial", "/device/{handle}/deny"),
        draw: |v| Box::pin(async move { Ok(see_other(&v.home().path())) }),
    },
    Page {
        policy: get("Pages.DeviceDecided", "/device/done/{outcome}", Public),
        draw: |v| Box::pin(async move { approval::decided(&v) }),
    },
    // Sessions.
    Page {
        policy: get("Pages.ListSessions", "/device/sessions", ConsoleSession),
        draw: |v| Box::pin(async move { sessions::show(&v).await }),
    },
    Page {
        policy: get("Pages.ConfirmRevoke", "/device/sessions/{id}/revoke", ConsoleSession),
        draw: |v| Box::pin(async move { revocation::confirm_one(&v).await }),
    },
    Page {
        policy: post("Pages.RevokeSession", "/device/sessions/{id}/revoke", ConsoleSession),
        draw: |v| Box::pin(async move { revocation::revoke_one(&v).await }),
    },
    Page {
        policy: get("Pages.ConfirmRevokeOthers", "/device/sessions/{id}/revoke-others", ConsoleSession),
        draw: |v| Box::pin(async move { revocation::confirm_others(&v).await }),
    },
    Page {
        policy: post("Pages.RevokeOtherSessions", "/device/sessions/{id}/revoke-others", ConsoleSession),
        draw: |v| Box::pin(async move { revocation::revoke_others(&v).await }),
    },
    Page {
        policy: get("Pages.ConfirmRevokeAll", "/device/sessions/revoke-all", ConsoleSession),
        draw: |v| Box::pin(async move { revocation::confirm_all(&v).await }),
    },
    Page {
        policy: post("Pages.RevokeAllSessions", "/device/sessions/revoke-all", ConsoleSession),
        draw: |v| Box::pin(async move { revocation::revoke_all(&v).await }),
    },
    // Looks, for anyone; nothing is asked of the stores.
    Page {
        policy: Policy { session: false, ..get("Pages.Asset", "/device/assets/{file}", Public) },
        draw: |v| Box::pin(async move { assets::show(&v) }),
    },
];

/// Any other address among the pages.
pub(super) static MISSING: Page = Page {
    policy: Policy { http: None, ..get("Pages.Missing", "", Public) },
    draw: |v| Box::pin(async move { v.draw(StatusCode::NOT_FOUND, Template::Notice, &Notice::missing(v.texts())) }),
};

/// The address of a form, opened by itself: nothing is read and nothing changes.
const fn address(method: &'static str, path: &'static str) -> Policy {
    Policy { session: false, ..get(method, path, Public) }
}

const fn get(method: &'static str, path: &'static str, credential: Credential) -> Policy {
    page(method, "GET", path, credential)
}

const fn post(method: &'static str, path: &'static str, credential: Credential) -> Policy {
    page(method, "POST", path, credential)
}

/// `json_only` keeps a page off the gRPC door and has the pipeline check the origin of public posts.
const fn page(method: &'static str, verb: &'static str, path: &'static str, credential: Credential) -> Policy {
    Policy {
        method,
        grpc_path: "",
        http: Some(HttpRoute { verb, path }),
        credential,
        subjects: &[],
        scope: None,
        presence: Presence::Everywhere,
        license: false,
        limits: &[],
        session: matches!(credential, Credential::Public),
        json_only: true,
        form: true,
        streams: false,
        max_body: form::MAX_FORM,
        errors: ErrorShape::Envelope,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_page_has_a_method_and_a_route_of_its_own() {
        let mut methods = HashSet::new();
        let mut routes = HashSet::new();
        for page in PAGES {
            let http = page.policy.http.expect("a route");
            assert!(methods.insert(page.policy.method), "{}", page.policy.method);
            assert!(routes.insert((http.verb, http.path)), "{}", http.path);
        }
    }

    #[test]
    fn no_two_routes_shadow_each_other() {
        let mut router = axum::Router::<()>::new();
        for page in PAGES {
            let http = page.policy.http.expect("a route");
            let filter =
                if http.verb == "POST" { axum::routing::MethodFilter::POST } else { axum::routing::MethodFilter::GET };
            // The router panics on a conflict.
            router = router.route(http.path, axum::routing::on(filter, async || ()));
        }
    }

    #[test]
    fn posts_that_change_something_need_a_session() {
        let public_posts: Vec<_> = PAGES
            .iter()
            .filter(|page| page.policy.http.is_some_and(|http| http.verb == "POST") && page.policy.credential == Public)
            .map(|page| page.policy.method)
            .collect();
        // The first has a pre-session token, the second changes nothing.
        assert_eq!(public_posts, ["Pages.SignIn", "Pages.SubmitCode"]);
        assert!(PAGES.iter().all(|page| page.policy.json_only));
    }
}
