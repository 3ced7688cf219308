//! Requests to servers on this machine, which the tests allow.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::Request as ReceivedRequest,
    response::{IntoResponse, Redirect},
    routing::any,
};
use futures_util::{StreamExt, future::BoxFuture, stream};
use http::{HeaderMap, Method, StatusCode};
use tokio::net::TcpListener;

use super::{
    client::{MAX_CONCURRENT, OutboundClient},
    error::OutboundError,
    message::{OutboundRequest, OutboundResponse},
    resolver::AddressResolver,
    run_client::{MAX_CONCURRENT_OF_RUN, RunOutboundClient},
};
use crate::{
    http_client::HttpClients,
    memory::{MemoryError, MemoryKind, MemoryLedger, Owner},
};

/// The workspace and the app of a request.
fn owners() -> [Owner; 2] {
    [Owner::of(&"workspace"), Owner::of(&"app")]
}

/// Resolves names to addresses: each look-up returns the next list, and the last list repeats.
#[derive(Debug, Default)]
struct Names {
    names: HashMap<&'static str, Vec<Vec<IpAddr>>>,
    lookups: AtomicUsize,
}

impl AddressResolver for Names {
    fn resolve(&self, name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let turn = self.lookups.fetch_add(1, Ordering::Relaxed);
        let found = self.names.get(name.as_str()).map(|answers| answers[turn.min(answers.len() - 1)].clone());
        Box::pin(async move { found.ok_or_else(|| io::ErrorKind::NotFound.into()) })
    }
}

async fn server(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

fn allowing(networks: &[&str], names: Names) -> OutboundClient {
    let allowed = networks.iter().map(|network| network.parse().unwrap()).collect();
    OutboundClient::with_resolver(allowed, &MemoryLedger::unlimited(), &HttpClients::default(), Arc::new(names))
        .unwrap()
}

fn local() -> OutboundClient {
    allowing(&["127.0.0.0/8"], Names::default())
}

fn get(url: impl AsRef<str>) -> OutboundRequest {
    OutboundRequest {
        method: Method::GET,
        url: url.as_ref().parse().unwrap(),
        headers: HeaderMap::new(),
        body: None,
        read_timeout: Duration::from_secs(5),
    }
}

async fn send(outbound: &OutboundClient, request: OutboundRequest) -> Result<OutboundResponse, OutboundError> {
    outbound.send(owners(), request, |_| 1000).await
}

/// Responds with the request that it received.
async fn echo(request: ReceivedRequest) -> String {
    let (parts, body) = request.into_parts();
    let mut headers: Vec<_> =
        parts.headers.iter().map(|(name, value)| format!("{name}={}", value.to_str().unwrap())).collect();
    headers.retain(|header| !header.starts_with("host="));
    headers.sort();
    let body = axum::body::to_bytes(body, 10_000).await.unwrap();
    format!("{} {} [{}] {}", parts.method, parts.uri, headers.join(" "), String::from_utf8_lossy(&body))
}

#[tokio::test]
async fn request_is_sent_and_its_response_returned() {
    let address = server(Router::new().fallback(echo)).await;
    let mut request = get(format!("http://{address}/a?b=c"));
    request.method = Method::PUT;
    request.headers.insert("x-key", "v".parse().unwrap());
    request.body = Some("hello".into());
    let response = send(&local(), request).await.unwrap();
    assert_eq!(response.status, StatusCode::OK);
    assert_eq!(&response.body[..], b"PUT /a?b=c [accept=*/* content-length=5 x-key=v] hello");
}

#[tokio::test]
async fn non_public_addresses_are_rejected_in_every_notation() {
    let outbound = allowing(&[], Names::default());
    for url in [
        "http://127.0.0.1/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[fd00:ec2::254]/",
        "http://10.0.0.1:8080/",
        "https://192.168.1.1/",
        "http://[64:ff9b::7f00:1]/",
        "http://①②⑦.⓪.⓪.①/",
    ] {
        assert!(matches!(send(&outbound, get(url)).await, Err(OutboundError::Unreachable(_))), "{url}");
    }
}

#[tokio::test]
async fn urls_with_credentials_or_another_scheme_are_rejected() {
    for url in [
        "http://user@127.0.0.1/",
        "http://user:secret@127.0.0.1/",
        "http://a:b@c@127.0.0.1/",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "unix:/x",
    ] {
        assert!(matches!(send(&local(), get(url)).await, Err(OutboundError::Url(_))), "{url}");
    }
}

#[tokio::test]
async fn names_of_non_public_addresses_and_unknown_names_have_the_same_error() {
    let names = HashMap::from([
        ("inside.example", vec![vec!["10.0.0.1".parse().unwrap(), "::1".parse().unwrap()]]),
        ("nothing.example", vec![vec![]]),
    ]);
    let outbound = allowing(&[], Names { names, ..Names::default() });
    for url in [
        "http://inside.example/",
        "http://nothing.example/",
        "http://unknown.example/",
        "http://10.0.0.1/",
        "http://[::1]/",
    ] {
        let error = send(&outbound, get(url)).await.unwrap_err();
        assert!(matches!(error, OutboundError::Unreachable(_)), "{url}: {error:?}");
        assert_eq!(
            error.to_string(),
            "the host does not exist, or requests to it are not allowed because it is not public",
            "{url}"
        );
    }
}

#[tokio::test]
async fn request_connects_to_the_address_that_was_checked() {
    let address = server(Router::new().fallback(echo)).await;
    // The first list is allowed. A second look-up for the connection would return another host.
    let answers = vec![vec!["127.0.0.1".parse().unwrap()], vec!["127.0.0.2".parse().unwrap()]];
    let names = Names { names: HashMap::from([("twice.example", answers)]), ..Names::default() };
    let names = Arc::new(names);
    let outbound = OutboundClient::with_resolver(
        vec!["127.0.0.1/32".parse().unwrap()],
        &MemoryLedger::unlimited(),
        &HttpClients::default(),
        names.clone(),
    )
    .unwrap();
    let url = format!("http://twice.example:{}/", address.port());
    assert!(send(&outbound, get(&url)).await.is_ok());
    assert_eq!(names.lookups.load(Ordering::Relaxed), 1);
    // The next request resolves and checks again.
    assert!(matches!(send(&outbound, get(&url)).await, Err(OutboundError::Unreachable(_))));
}

#[tokio::test]
async fn request_connects_to_the_allowed_address_of_several() {
    let address = server(Router::new().fallback(echo)).await;
    let both = vec![vec!["10.255.255.1".parse().unwrap(), "127.0.0.1".parse().unwrap()]];
    let outbound =
        allowing(&["127.0.0.0/8"], Names { names: HashMap::from([("both.example", both)]), ..Names::default() });
    assert!(send(&outbound, get(format!("http://both.example:{}/", address.port()))).await.is_ok());
}

#[tokio::test]
async fn redirects_are_followed_and_checked() {
    let router = Router::new()
        .route("/in", any(|| async { Redirect::temporary("http://10.0.0.1/") }))
        .route("/meta", any(|| async { Redirect::to("//169.254.169.254/latest") }))
        .route("/user", any(|| async { Redirect::to("http://u:p@127.0.0.1/") }))
        .route("/file", any(|| async { Redirect::to("file:///etc/passwd") }))
        .route("/loop", any(|| async { Redirect::to("/loop") }))
        .route("/once", any(|| async { Redirect::to("/echo") }))
        .route("/same", any(|| async { Redirect::temporary("/echo") }))
        .route("/echo", any(echo));
    let address = server(router).await;
    let outbound = local();
    let at = |path: &str| get(format!("http://{address}{path}"));
    assert!(matches!(send(&outbound, at("/in")).await, Err(OutboundError::Unreachable(_))));
    assert!(matches!(send(&outbound, at("/meta")).await, Err(OutboundError::Unreachable(_))));
    assert!(matches!(send(&outbound, at("/user")).await, Err(OutboundError::Url(_))));
    assert!(matches!(send(&outbound, at("/file")).await, Err(OutboundError::Url(_))));
    assert!(matches!(send(&outbound, at("/loop")).await, Err(OutboundError::TooManyRedirects)));
    let post = |path: &str| OutboundRequest { method: Method::POST, body: Some("b".into()), ..at(path) };
    let body = send(&outbound, post("/once")).await.unwrap().body;
    assert_eq!(&body[..], b"GET /echo [accept=*/*] ");
    let body = send(&outbound, post("/same")).await.unwrap().body;
    assert_eq!(&body[..], b"POST /echo [accept=*/* content-length=1] b");
}

#[tokio::test]
async fn redirect_to_another_origin_drops_headers_that_may_hold_a_key() {
    let other = server(Router::new().fallback(echo)).await;
    let there = format!("http://{other}/echo");
    let first = server(
        Router::new()
            .route("/away", any(move || async move { Redirect::temporary(&there) }))
            .route("/near", any(|| async { Redirect::temporary("/echo") }))
            .route("/echo", any(echo)),
    )
    .await;
    let with_keys = |path: &str| {
        let mut request = get(format!("http://{first}{path}"));
        for (name, value) in [
            ("authorization", "Bearer s"),
            ("x-api-key", "s"),
            ("cookie", "s"),
            ("accept", "text/html"),
            ("user-agent", "u"),
        ] {
            request.headers.insert(name, value.parse().unwrap());
        }
        request
    };
    let body = send(&local(), with_keys("/near")).await.unwrap().body;
    assert_eq!(
        String::from_utf8_lossy(&body),
        "GET /echo [accept=text/html authorization=Bearer s cookie=s user-agent=u x-api-key=s] "
    );
    let body = send(&local(), with_keys("/away")).await.unwrap().body;
    assert_eq!(String::from_utf8_lossy(&body), "GET /echo [accept=text/html user-agent=u] ");
}

#[tokio::test]
async fn larger_body_than_the_limit_is_an_error() {
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = sent.clone();
    let endless = move || {
        let counter = counter.clone();
        async move {
            Body::from_stream(stream::repeat_with(move || {
                counter.fetch_add(1, Ordering::Relaxed);
                Ok::<_, io::Error>("x".repeat(1000))
            }))
            .into_response()
        }
    };
    let router = Router::new()
        .route("/endless", any(endless))
        .route("/announced", any(|| async { "x".repeat(1001) }))
        .route("/fits", any(|| async { "x".repeat(1000) }));
    let address = server(router).await;
    for path in ["endless", "announced"] {
        let result = send(&local(), get(format!("http://{address}/{path}"))).await;
        assert!(matches!(result, Err(OutboundError::TooLarge { limit: 1000 })), "{path}: {result:?}");
    }
    assert_eq!(send(&local(), get(format!("http://{address}/fits"))).await.unwrap().body.len(), 1000);
    assert!(sent.load(Ordering::Relaxed) < 10_000, "the rest of the body is not read");
}

#[tokio::test]
async fn stalled_server_times_out() {
    let stalls = || async {
        let body = stream::iter([Ok::<_, io::Error>("one")]).chain(stream::pending());
        Body::from_stream(body).into_response()
    };
    let silent = || async {
        std::future::pending::<()>().await;
    };
    let address = server(Router::new().route("/body", any(stalls)).route("/head", any(silent))).await;
    for path in ["body", "head"] {
        let mut request = get(format!("http://{address}/{path}"));
        request.read_timeout = Duration::from_millis(50);
        assert!(matches!(send(&local(), request).await, Err(OutboundError::TimedOut)), "{path}");
    }
}

#[tokio::test]
async fn connection_error_omits_the_url() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = send(&local(), get(format!("http://{address}/?key=secret"))).await.unwrap_err();
    assert!(matches!(&error, OutboundError::Failed(_)), "{error:?}");
    assert!(!error.to_string().contains("secret"));
}

#[tokio::test]
async fn run_with_pending_requests_leaves_permits_for_other_runs() {
    let pending_requests = Arc::new(AtomicUsize::new(0));
    let counter = pending_requests.clone();
    let never = move || {
        counter.fetch_add(1, Ordering::Relaxed);
        std::future::pending::<()>()
    };
    let address = server(Router::new().route("/never", any(never)).route("/quick", any(|| async { "here" }))).await;
    let outbound = Arc::new(local());
    let wide = RunOutboundClient::new(&outbound, owners());
    let requests: Vec<_> = (0..2 * MAX_CONCURRENT)
        .map(|_| {
            let (wide, request) = (wide.clone(), get(format!("http://{address}/never")));
            tokio::spawn(async move { wide.send(request, |_| 1000).await })
        })
        .collect();
    while pending_requests.load(Ordering::Relaxed) < MAX_CONCURRENT_OF_RUN {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let quick = RunOutboundClient::new(&outbound, owners());
    let answer = quick.send(get(format!("http://{address}/quick")), |_| 1000);
    let answer = tokio::time::timeout(Duration::from_secs(4), answer).await.expect("another run has a permit").unwrap();
    assert_eq!((&answer.body[..], pending_requests.load(Ordering::Relaxed)), (&b"here"[..], MAX_CONCURRENT_OF_RUN));
    for request in requests {
        request.abort();
    }
}

#[tokio::test]
async fn responses_of_a_workspace_stay_within_its_share_of_the_memory() {
    let address = server(Router::new().fallback(|| async { "x".repeat(100_000) })).await;
    // A body of 100,000 bytes takes 131,072.
    let memory = MemoryLedger::with_limits(|_| 500_000);
    let outbound = OutboundClient::new(vec!["127.0.0.0/8".parse().unwrap()], &memory, &HttpClients::default()).unwrap();
    let send = |workspace: &'static str| {
        outbound.send([Owner::of(&workspace), Owner::of(&"app")], get(format!("http://{address}/")), |_| 1 << 20)
    };
    let responses = [send("one").await.unwrap(), send("one").await.unwrap()];
    let held = memory.used(MemoryKind::Runs);
    assert!(held >= 200_000, "{held}");
    let third = send("one").await;
    assert!(matches!(third, Err(OutboundError::Memory(MemoryError::OwnerExhausted(_)))), "{third:?}");
    assert_eq!(memory.used(MemoryKind::Runs), held, "a part of a response is not kept");
    assert_eq!(send("other").await.unwrap().body.len(), 100_000);
    drop(responses);
    assert_eq!(memory.used(MemoryKind::Runs), 0);
}
