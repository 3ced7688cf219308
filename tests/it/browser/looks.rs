//! How every state looks, in both languages, both colour schemes, wide and narrow: pictures are left, axe-core finds
//! nothing, nothing is cut off, and the browser has nothing to complain about.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn looks() {
    let Some(visitor) = Visitor::arrive().await else { return };
    visitor.visit("/signin").await;
    visitor.check("sign-in").await;
    visitor.sign_in().await;
    visitor.check("enter-code").await;
    let device = visitor.device("laptop of Ada").await;
    visitor.enter_code(&device.user_code).await;
    visitor.check("approve").await;
    visitor.switch_language().await;
    visitor.check("approve").await;
    visitor.click("#mine").await;
    visitor.click(AUTHORIZE).await;
    visitor.check("approved").await;
    let _ = (CANCEL, SUBMIT);
}
