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

/// Runs a test in both browsers, each time with a server of its own; `with` sets a variable of the server.
macro_rules! in_both_browsers {
    ($($(with $variable:expr;)? async fn $name:ident($visitor:ident: &Visitor) $body:block)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            async fn test($visitor: &Visitor) $body

            let variables: &[(&str, &str)] = &[$($variable)?];
            let Some(visitor) = Visitor::arrive_with(variables).await else { return };
            test(&visitor).await;
            // Said where a test fails from here on.
            println!("once more, 320 px wide and without scripts");
            let visitor = visitor.leave_for_another(variables).await;
            visitor.view(NARROW).await;
            visitor.without_scripts().await;
            test(&visitor).await;
        }
    )*};
}

use in_both_browsers;
