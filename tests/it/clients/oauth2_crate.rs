//! The `oauth2` crate.

use std::time::Duration;

use oauth2::{
    ClientId, DeviceAuthorizationUrl, DeviceCodeErrorResponseType, EndpointNotSet, EndpointSet, HttpRequest,
    HttpResponse, RequestTokenError, StandardDeviceAuthorizationResponse, TokenResponse as _, TokenUrl,
    basic::{BasicClient, BasicTokenType},
};
use parking_lot::Mutex;

use crate::support::{
    Bearer, Browser, Stores, TestServer,
    cli_device::{CODE, TOKEN},
    server::OWNER,
};

/// A client with the device authorization and the token endpoint.
type Client = BasicClient<EndpointNotSet, EndpointSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

fn client(server: &TestServer) -> Client {
    BasicClient::new(ClientId::new("difyctl".to_owned()))
        .set_device_authorization_url(DeviceAuthorizationUrl::new(server.at(CODE)).unwrap())
        .set_token_uri(TokenUrl::new(server.at(TOKEN)).unwrap())
}

/// Sends a request of the crate, which has no HTTP client of its own.
async fn send(request: HttpRequest) -> Result<HttpResponse, reqwest::Error> {
    let response = reqwest::Client::new().execute(request.try_into()?).await?;
    let (status, headers) = (response.status(), response.headers().clone());
    let mut answer = HttpResponse::new(response.bytes().await?.to_vec());
    *answer.status_mut() = status;
    *answer.headers_mut() = headers;
    Ok(answer)
}

async fn ask(client: &Client) -> StandardDeviceAuthorizationResponse {
    let codes: StandardDeviceAuthorizationResponse = client.exchange_device_code().request_async(&send).await.unwrap();
    assert_eq!((codes.interval(), codes.expires_in()), (Duration::from_secs(5), Duration::from_mins(15)));
    codes
}

on_every_database!(oauth2_crate_honours_intervals_and_signs_in, oauth2_crate_reports_denied_and_expired_codes);

async fn oauth2_crate_honours_intervals_and_signs_in(stores: Stores) {
    let server = TestServer::start(stores).await;
    let browser = Browser::signed_in(&server, OWNER).await;
    let client = client(&server);
    let codes = ask(&client).await;
    let waits = Mutex::new(Vec::new());
    let (server, browser, user_code) = (&server, &browser, codes.user_code().secret());
    let wait = |interval: Duration| {
        let nth = {
            let mut waits = waits.lock();
            waits.push(interval.as_secs());
            waits.len()
        };
        async move {
            // The first poll comes too early and receives `slow_down`.
            if nth > 1 {
                server.advance(i64::try_from(interval.as_secs()).unwrap());
            }
            if nth == 3 {
                assert_eq!(browser.approve(user_code).await.0, 200);
            }
        }
    };
    let token = client.exchange_device_access_token(&codes).request_async(&send, wait, None).await.unwrap();
    assert_eq!(*waits.lock(), [5, 10, 10]);
    assert_eq!(token.token_type(), &BasicTokenType::Bearer);
    assert!((1_209_500..=1_209_600).contains(&token.expires_in().unwrap().as_secs()));
    let scopes: Vec<_> = token.scopes().unwrap().iter().map(|scope| scope.as_str()).collect();
    assert_eq!(scopes, ["full"]);
    let bearer = Bearer::with_token(server, token.access_token().secret(), "");
    assert_eq!(bearer.get("/openapi/v1/account").await.1["subject_email"], OWNER);
}

async fn oauth2_crate_reports_denied_and_expired_codes(stores: Stores) {
    let server = TestServer::start(stores).await;
    let browser = Browser::signed_in(&server, OWNER).await;
    let client = client(&server);
    for expected in [DeviceCodeErrorResponseType::AccessDenied, DeviceCodeErrorResponseType::ExpiredToken] {
        let codes = ask(&client).await;
        if expected == DeviceCodeErrorResponseType::AccessDenied {
            assert_eq!(browser.deny(codes.user_code().secret()).await.0, 200);
        } else {
            server.advance(901);
        }
        let wait = async |_| panic!("no further poll is expected");
        let ended = client.exchange_device_access_token(&codes).request_async(&send, wait, None).await;
        match ended.unwrap_err() {
            RequestTokenError::ServerResponse(error) => assert_eq!(error.error(), &expected),
            other => panic!("{other:?}"),
        }
    }
}
