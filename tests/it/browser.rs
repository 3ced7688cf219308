//! The pages in a real browser, as people use them: at a desktop with scripts, and 320 px wide without.

mod code_entry;
mod decision;
mod languages;
mod looks;
mod sessions;
mod sign_in;
mod tabs;

use crate::support::{
    Bearer, Browser, Device, Visitor,
    server::{MEMBER, OWNER, PASSWORD},
    visitor::{AUTHORIZE, CANCEL, SUBMIT},
    window::NARROW,
};

/// Runs a test in both browsers, each with a server and a profile of its own; `with` sets variables of the server.
macro_rules! in_both_browsers {
    ($($(with $variables:expr;)? async fn $name:ident($visitor:ident: Visitor) $body:block)*) => {$(
        mod $name {
            use super::*;

            async fn test($visitor: Visitor) $body

            fn variables() -> &'static [(&'static str, &'static str)] {
                &[$($variables)?]
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn at_a_desktop() {
                if let Some(visitor) = Visitor::arrive_with(variables()).await {
                    test(visitor).await;
                }
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn narrow_and_without_scripts() {
                if let Some(visitor) = Visitor::arrive_with(variables()).await {
                    visitor.view(NARROW).await;
                    visitor.without_scripts().await;
                    test(visitor).await;
                }
            }
        }
    )*};
}

use in_both_browsers;
