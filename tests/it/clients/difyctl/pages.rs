//! A person at the pages, with a browser that keeps cookies and has no scripts.

use reqwest::{Client, Response};

use crate::support::TestServer;

/// Enters the code, signs in, states that the device is theirs, and authorizes it.
pub(super) async fn approve(server: &TestServer, user_code: &str, email: &str, password: &str) {
    let browser = Client::builder().cookie_store(true).build().unwrap();
    let page = Page::of(browser.get(server.at("/device")).send().await.unwrap()).await;
    let page = page.submit(&browser, server, &[("user_code", user_code)]).await;
    let page = page.submit(&browser, server, &[("email", email), ("password", password)]).await;
    assert!(page.html.contains(user_code), "the page shows the code: {}", page.html);
    let page = page.submit(&browser, server, &[("mine", "yes")]).await;
    assert!(page.html.contains("Device authorized"), "{}", page.html);
}

struct Page {
    html: String,
}

impl Page {
    async fn of(response: Response) -> Self {
        assert_eq!(response.status(), 200, "{}", response.url());
        Self { html: response.text().await.unwrap() }
    }

    /// Submits the form of the main part with its hidden fields. The browser follows redirects.
    async fn submit(&self, browser: &Client, server: &TestServer, fields: &[(&str, &str)]) -> Self {
        let main = self.html.split_once("<main").unwrap().1;
        let form = main.split_once("<form").unwrap().1.split_once("</form>").unwrap().0;
        let mut values = vec![];
        for input in form.split("<input").skip(1).filter(|input| input.contains("type=\"hidden\"")) {
            values.push((attribute(input, "name"), attribute(input, "value")));
        }
        values.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let action = server.at(&attribute(form, "action"));
        Self::of(browser.post(action).header("origin", &server.url).form(&values).send().await.unwrap()).await
    }
}

/// The value of the first attribute with this name.
fn attribute(html: &str, name: &str) -> String {
    let value = html.split_once(&format!(" {name}=\"")).unwrap_or_else(|| panic!("no {name} in {html}")).1;
    let value = value.split_once('"').unwrap().0;
    value.replace("&quot;", "\"").replace("&#x2f;", "/").replace("&#x3d;", "=").replace("&amp;", "&")
}
