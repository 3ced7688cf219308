//! The table of all pages: method, path, credential, rate limits and handler.

use std::{pin::Pin, sync::Arc};

use axum::response::Response;
use http::StatusCode;

use super::{
    context::PageContext,
    form::MAX_FORM_BYTES,
    handlers::{
        api_reference, approval, assets, browser_sessions, connection_forms, connections, continue_session, enter_code,
        external_outcome, outcome, rename, revocation, sessions, sign_in, single_sign_on,
    },
    location::{SESSIONS, see_other},
    message_page::MessagePage,
    renderer::PageTemplate,
};
use crate::{
    domain::{Result, limit::LimitName},
    pipeline::policy::{Credential, ErrorShape, HttpRoute, Policy, Presence},
};

/// The future of a handler.
pub(super) type PageFuture = Pin<Box<dyn Future<Output = Result<Response>> + Send>>;

/// A page or the target of a form.
pub(super) struct PageRoute {
    pub policy: Policy,
    /// Runs after the pipeline has admitted the request.
    pub handler: fn(Arc<PageContext>) -> PageFuture,
}

use Credential::{ApprovalGrant, ConsoleSession, Public};
use Presence::{Enterprise, Standalone};

/// The path of a provider's page.
macro_rules! provider {
    ($rest:literal) => {
        concat!("/device/connections/{organization}/{plugin}/{provider}", $rest)
    };
}

/// The routes of all pages.
pub(super) static ROUTES: &[PageRoute] = &[
    // Sign-in and sign-out, standalone only.
    PageRoute {
        policy: Policy { presence: Standalone, ..get("Pages.ShowSignIn", "/signin", Public) },
        handler: |context| Box::pin(async move { sign_in::show(&context) }),
    },
    PageRoute {
        policy: Policy { presence: Standalone, ..post("Pages.SignIn", "/signin", Public) },
        handler: |context| Box::pin(async move { sign_in::submit(&context).await }),
    },
    PageRoute {
        policy: Policy {
            limits: &[LimitName::Refresh],
            presence: Standalone,
            ..post("Pages.ContinueSession", "/signin/refresh", Public)
        },
        handler: |context| Box::pin(async move { continue_session::submit(&context).await }),
    },
    PageRoute {
        policy: Policy { presence: Standalone, ..redirect("Pages.ReopenContinueSession", "/signin/refresh") },
        handler: |context| Box::pin(async move { Ok(see_other(&context.return_target().append_to("/signin"))) }),
    },
    PageRoute {
        policy: Policy { presence: Standalone, ..post("Pages.SignOut", "/device/signout", ConsoleSession) },
        handler: |context| Box::pin(async move { sign_in::sign_out(&context).await }),
    },
    PageRoute {
        policy: Policy { presence: Standalone, ..redirect("Pages.ReopenSignOut", "/device/signout") },
        handler: |context| Box::pin(async move { Ok(see_other(&context.base_page().path())) }),
    },
    // A person who opens only the host usually has a code to enter.
    PageRoute {
        policy: Policy { session: false, presence: Standalone, ..get("Pages.Front", "/", Public) },
        handler: |_| Box::pin(async { Ok(see_other("/device")) }),
    },
    // Devices. Entering a code needs no sign-in, the page of its device does.
    PageRoute {
        policy: get("Pages.EnterCode", "/device", Public),
        handler: |context| Box::pin(async move { enter_code::show(&context).await }),
    },
    PageRoute {
        policy: Policy { limits: &[LimitName::Lookup], ..post("Pages.SubmitCode", "/device", Public) },
        handler: |context| Box::pin(async move { enter_code::submit(&context).await }),
    },
    PageRoute {
        policy: redirect("Pages.EnterCodeWithSlash", "/device/"),
        handler: |context| Box::pin(async move { enter_code::show_without_slash(&context) }),
    },
    PageRoute {
        policy: get("Pages.ReviewDevice", "/device/{handle}", ConsoleSession),
        handler: |context| Box::pin(async move { approval::show(&context).await }),
    },
    PageRoute {
        policy: Policy {
            limits: &[LimitName::Approve],
            ..post("Pages.ApproveDevice", "/device/{handle}/approve", ConsoleSession)
        },
        handler: |context| Box::pin(async move { approval::approve(&context).await }),
    },
    PageRoute {
        policy: Policy {
            limits: &[LimitName::Approve],
            ..post("Pages.DenyDevice", "/device/{handle}/deny", ConsoleSession)
        },
        handler: |context| Box::pin(async move { approval::deny(&context).await }),
    },
    // After a decision that failed, the browser may still show the address of the form.
    PageRoute {
        policy: redirect("Pages.ReopenApproval", "/device/{handle}/approve"),
        handler: |context| Box::pin(async move { Ok(see_other(&context.base_page().path())) }),
    },
    PageRoute {
        policy: redirect("Pages.ReopenDenial", "/device/{handle}/deny"),
        handler: |context| Box::pin(async move { Ok(see_other(&context.base_page().path())) }),
    },
    PageRoute {
        policy: get("Pages.DeviceOutcome", "/device/{handle}/done", ConsoleSession),
        handler: |context| Box::pin(async move { outcome::show(&context).await }),
    },
    PageRoute {
        policy: post("Pages.EndDeviceSession", "/device/{handle}/end", ConsoleSession),
        handler: |context| Box::pin(async move { outcome::end(&context).await }),
    },
    PageRoute {
        policy: redirect("Pages.ReopenOutcome", "/device/{handle}/end"),
        handler: |context| Box::pin(async move { Ok(see_other(&context.base_page().path())) }),
    },
    PageRoute {
        policy: get("Pages.DeviceDecided", "/device/done/{outcome}", Public),
        handler: |context| Box::pin(async move { approval::decided(&context) }),
    },
    // Single sign-on: for an account, and for a device.
    PageRoute {
        policy: Policy { presence: Enterprise, ..redirect("Pages.StartAccountSso", "/signin/sso") },
        handler: |context| Box::pin(async move { single_sign_on::start_for_account(&context).await }),
    },
    PageRoute {
        policy: Policy { presence: Enterprise, ..get("Pages.StartDeviceSso", "/device/{handle}/sso", Public) },
        handler: |context| Box::pin(async move { single_sign_on::show_start(&context).await }),
    },
    PageRoute {
        policy: external("Pages.ReviewExternal", "GET", single_sign_on::CONFIRM),
        handler: |context| Box::pin(async move { single_sign_on::show_confirmation(&context).await }),
    },
    PageRoute {
        policy: Policy {
            limits: &[LimitName::ApproveExternal],
            ..external("Pages.ApproveExternal", "POST", "/openapi/v1/oauth/device/confirm/approve")
        },
        handler: |context| Box::pin(async move { single_sign_on::approve(&context).await }),
    },
    PageRoute {
        policy: Policy {
            limits: &[LimitName::Approve],
            ..external("Pages.DenyExternal", "POST", "/openapi/v1/oauth/device/confirm/deny")
        },
        handler: |context| Box::pin(async move { single_sign_on::deny(&context).await }),
    },
    PageRoute {
        policy: Policy {
            presence: Enterprise,
            ..get("Pages.ExternalDecided", "/openapi/v1/oauth/device/done/{outcome}", Public)
        },
        handler: |context| Box::pin(async move { external_outcome::show(&context).await }),
    },
    PageRoute {
        policy: Policy { presence: Enterprise, ..post("Pages.EndExternalSession", external_outcome::END, Public) },
        handler: |context| Box::pin(async move { external_outcome::end(&context).await }),
    },
    PageRoute {
        policy: Policy { presence: Enterprise, ..redirect("Pages.ReopenExternalOutcome", external_outcome::END) },
        handler: |_| Box::pin(async { Ok(see_other(external_outcome::APPROVED)) }),
    },
    PageRoute {
        policy: Policy {
            session: false,
            presence: Enterprise,
            ..get("Pages.ExternalAsset", "/openapi/v1/oauth/device/assets/{file}", Public)
        },
        handler: |context| Box::pin(async move { assets::show(&context) }),
    },
    PageRoute {
        policy: Policy {
            presence: Enterprise,
            ..redirect("Pages.ReopenExternalApproval", "/openapi/v1/oauth/device/confirm/approve")
        },
        handler: |_| Box::pin(async { Ok(see_other(single_sign_on::CONFIRM)) }),
    },
    PageRoute {
        policy: Policy {
            presence: Enterprise,
            ..redirect("Pages.ReopenExternalDenial", "/openapi/v1/oauth/device/confirm/deny")
        },
        handler: |_| Box::pin(async { Ok(see_other(single_sign_on::CONFIRM)) }),
    },
    // Sessions.
    PageRoute {
        policy: get("Pages.ListSessions", "/device/sessions", ConsoleSession),
        handler: |context| Box::pin(async move { sessions::show(&context).await }),
    },
    PageRoute {
        policy: get("Pages.ConfirmRevoke", "/device/sessions/{id}/revoke", ConsoleSession),
        handler: |context| Box::pin(async move { revocation::confirm_one(&context).await }),
    },
    PageRoute {
        policy: post("Pages.RevokeSession", "/device/sessions/{id}/revoke", ConsoleSession),
        handler: |context| Box::pin(async move { revocation::revoke_one(&context).await }),
    },
    PageRoute {
        policy: get("Pages.ConfirmRevokeOthers", "/device/sessions/{id}/revoke-others", ConsoleSession),
        handler: |context| Box::pin(async move { revocation::confirm_others(&context).await }),
    },
    PageRoute {
        policy: post("Pages.RevokeOtherSessions", "/device/sessions/{id}/revoke-others", ConsoleSession),
        handler: |context| Box::pin(async move { revocation::revoke_others(&context).await }),
    },
    PageRoute {
        policy: get("Pages.ConfirmRevokeAll", "/device/sessions/revoke-all", ConsoleSession),
        handler: |context| Box::pin(async move { revocation::confirm_all(&context).await }),
    },
    PageRoute {
        policy: post("Pages.RevokeAllSessions", "/device/sessions/revoke-all", ConsoleSession),
        handler: |context| Box::pin(async move { revocation::revoke_all(&context).await }),
    },
    PageRoute {
        policy: get("Pages.ShowRename", "/device/sessions/{id}/rename", ConsoleSession),
        handler: |context| Box::pin(async move { rename::show(&context).await }),
    },
    PageRoute {
        policy: post("Pages.RenameSession", "/device/sessions/{id}/rename", ConsoleSession),
        handler: |context| Box::pin(async move { rename::submit(&context).await }),
    },
    PageRoute {
        policy: Policy {
            presence: Standalone,
            ..post("Pages.EndBrowserSession", "/device/sessions/browsers/{id}/end", ConsoleSession)
        },
        handler: |context| Box::pin(async move { browser_sessions::end(&context).await }),
    },
    PageRoute {
        policy: Policy {
            presence: Standalone,
            ..redirect("Pages.ReopenBrowserSessions", "/device/sessions/browsers/{id}/end")
        },
        handler: |_| Box::pin(async { Ok(see_other(SESSIONS)) }),
    },
    // Connections.
    PageRoute {
        policy: Policy {
            presence: Presence::Connections,
            ..get("Pages.ListConnections", "/device/connections", ConsoleSession)
        },
        handler: |context| Box::pin(async move { connections::show(&context).await }),
    },
    PageRoute {
        policy: Policy { presence: Presence::Connections, ..get("Pages.ShowProvider", provider!(""), ConsoleSession) },
        handler: |context| Box::pin(async move { connections::show_provider(&context).await }),
    },
    PageRoute {
        policy: Policy {
            presence: Presence::Connections,
            ..get("Pages.Connect", provider!("/connect"), ConsoleSession)
        },
        handler: |context| Box::pin(async move { connection_forms::connect(&context).await }),
    },
    PageRoute {
        policy: changes_connection("Pages.ChangeConnection", provider!("/credentials/{id}")),
        handler: |context| Box::pin(async move { connection_forms::change(&context).await }),
    },
    PageRoute {
        policy: Policy {
            presence: Presence::Connections,
            ..get("Pages.ConfirmDisconnect", provider!("/credentials/{id}/disconnect"), ConsoleSession)
        },
        handler: |context| Box::pin(async move { connection_forms::confirm_disconnect(&context).await }),
    },
    PageRoute {
        policy: changes_connection("Pages.Disconnect", provider!("/credentials/{id}/disconnect")),
        handler: |context| Box::pin(async move { connection_forms::disconnect(&context).await }),
    },
    PageRoute {
        policy: changes_connection("Pages.AddApiKey", provider!("/keys")),
        handler: |context| Box::pin(async move { connection_forms::add_key(&context).await }),
    },
    PageRoute {
        policy: changes_connection("Pages.SaveOAuthClient", provider!("/client")),
        handler: |context| Box::pin(async move { connection_forms::save_client(&context).await }),
    },
    // Beside Dify its console has this page.
    PageRoute {
        policy: Policy { presence: Standalone, ..get("Pages.Connected", "/oauth-callback", Public) },
        handler: |context| Box::pin(async move { connections::connected(&context) }),
    },
    // Assets are public and use no store.
    PageRoute {
        policy: Policy { session: false, ..get("Pages.Asset", "/device/assets/{file}", Public) },
        handler: |context| Box::pin(async move { assets::show(&context) }),
    },
];

/// The API reference, which a deployment may leave out.
pub(super) static API_REFERENCE: PageRoute = PageRoute {
    policy: Policy { session: false, ..get("Pages.ShowApiReference", "/docs", Public) },
    handler: |context| Box::pin(async move { api_reference::show(&context) }),
};

/// Every other path below the paths of the pages.
pub(super) static NOT_FOUND: PageRoute = PageRoute {
    policy: Policy { http: None, ..get("Pages.Missing", "", Public) },
    handler: |context| {
        Box::pin(async move {
            context.render(StatusCode::NOT_FOUND, PageTemplate::Message, &MessagePage::not_found(context.texts()))
        })
    },
};

/// A page that only redirects: it reads nothing and needs no sign-in.
const fn redirect(method: &'static str, path: &'static str) -> Policy {
    Policy { session: false, ..get(method, path, Public) }
}

/// The target of a form that changes a connection.
const fn changes_connection(method: &'static str, path: &'static str) -> Policy {
    Policy { presence: Presence::Connections, limits: &[LimitName::Connection], ..post(method, path, ConsoleSession) }
}

/// A page of external identities.
const fn external(method: &'static str, verb: &'static str, path: &'static str) -> Policy {
    Policy { presence: Enterprise, license: true, ..page(method, verb, path, ApprovalGrant) }
}

const fn get(method: &'static str, path: &'static str, credential: Credential) -> Policy {
    page(method, "GET", path, credential)
}

const fn post(method: &'static str, path: &'static str, credential: Credential) -> Policy {
    page(method, "POST", path, credential)
}

/// `json_only` keeps a page off the gRPC door and makes the pipeline check the origin of public posts.
const fn page(method: &'static str, verb: &'static str, path: &'static str, credential: Credential) -> Policy {
    Policy {
        method,
        grpc_path: "",
        http: Some(HttpRoute { verb, path, fixed: &[] }),
        credential,
        subjects: &[],
        scope: None,
        presence: Presence::Everywhere,
        license: false,
        external_license: false,
        limits: &[],
        session: matches!(credential, Credential::Public),
        json_only: true,
        approval_grant: false,
        redirects: false,
        form: true,
        streams: false,
        always_streams: false,
        uploads: false,
        max_body: MAX_FORM_BYTES,
        struct_fields: &[],
        errors: ErrorShape::Envelope,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn method_names_and_routes_are_unique() {
        let mut methods = HashSet::new();
        let mut routes = HashSet::new();
        for route in ROUTES {
            let http = route.policy.http.expect("a route");
            assert!(methods.insert(route.policy.method), "{}", route.policy.method);
            assert!(routes.insert((http.verb, http.path)), "{}", http.path);
        }
    }

    #[test]
    fn routes_do_not_conflict() {
        let mut router = axum::Router::<()>::new();
        for route in ROUTES {
            let http = route.policy.http.expect("a route");
            let filter =
                if http.verb == "POST" { axum::routing::MethodFilter::POST } else { axum::routing::MethodFilter::GET };
            // The router panics on a conflict.
            router = router.route(http.path, axum::routing::on(filter, async || ()));
        }
    }

    #[test]
    fn get_charges_no_limit() {
        for route in ROUTES.iter().filter(|route| route.policy.http.is_some_and(|http| http.verb == "GET")) {
            assert!(route.policy.limits.is_empty(), "{}", route.policy.method);
        }
    }

    #[test]
    fn only_harmless_posts_are_public() {
        let public_posts: Vec<_> = ROUTES
            .iter()
            .filter(|route| {
                route.policy.http.is_some_and(|http| http.verb == "POST") && route.policy.credential == Public
            })
            .map(|route| route.policy.method)
            .collect();
        // The first is protected by the pre-session token, and the last by the token in its cookie. The others change
        // only the session of the browser that submits them.
        assert_eq!(
            public_posts,
            ["Pages.SignIn", "Pages.ContinueSession", "Pages.SubmitCode", "Pages.EndExternalSession"]
        );
        assert!(ROUTES.iter().all(|route| route.policy.json_only));
    }
}
