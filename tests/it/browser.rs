//! The pages in a real browser: on a desktop with scripts, and 320 px wide without.

mod appearance;
mod branding;
mod code_entry;
mod connections;
mod decision;
mod languages;
mod outcome;
mod own_browsers;
mod sessions;
mod sign_in;
mod single_sign_on;
mod tabs;

use crate::support::{
    Bearer, Browser, Device, Visitor,
    server::{MEMBER, OWNER, PASSWORD},
    visitor::{AUTHORIZE, CANCEL, SUBMIT},
    window::NARROW,
};

/// Defines one test for each named `async fn name(visitor: &Visitor)`; `with VARIABLE => VARIABLE` sets
/// variables of its servers.
macro_rules! in_both_browsers {
    ($($name:ident $(with $($variable:expr)=>+)?),+ $(,)?) => {$(
        mod $name {
            use super::*;

            #[tokio::test(flavor = "multi_thread")]
            async fn in_both_browsers() {
                $crate::browser::run_in_both_browsers(&[$($($variable),+)?], $name).await;
            }
        }
    )+};
}

use in_both_browsers;

/// Runs a test on a desktop with scripts, then 320 px wide without scripts, each time on a new server.
async fn run_in_both_browsers(variables: &[(&str, &str)], test: impl AsyncFn(&Visitor)) {
    let Some(visitor) = Visitor::start_with(variables).await else { return };
    test(&visitor).await;
    // Shown when the test fails in the second browser.
    println!("320 px wide and without scripts");
    let visitor = visitor.restart_with(variables).await;
    visitor.set_view(NARROW).await;
    visitor.disable_scripts().await;
    test(&visitor).await;
}
