//! Against servers on this machine, which are allowed here and nowhere else.

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
    extract::Request as Asked,
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
    resolve::AddressResolver,
    run_client::{MAX_CONCURRENT_OF_RUN, RunOutboundClient},
};

/// Names and what they resolve to: each look-up takes the next answer, the last one stays.
#[derive(Debug, Default)]
struct Names {
    names: HashMap<&'static str, Vec<Vec<IpAddr>>>,
    asked: AtomicUsize,
}

impl AddressResolver for Names {
    fn resolve(&self, name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let turn = self.asked.fetch_add(1, Ordering::Relaxed);
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
    OutboundClient::with_resolver(allowed, Arc::new(names)).unwrap()
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
    outbound.send(request, |_| 1000).await
}

/// Tells what it was asked.
async fn echo(request: Asked) -> String {
    let (parts, body) = request.into_parts();
    let mut headers: Vec<_> =
        parts.headers.iter().map(|(name, value)| format!("{name}={}", value.to_str().unwrap())).collect();
    headers.retain(|header| !header.starts_with("host="));
    headers.sort();
    let body = axum::body::to_bytes(body, 10_000).await.unwrap();
    format!("{} {} [{}] {}", parts.method, parts.uri, headers.join(" "), String::from_utf8_lossy(&body))
}

#[tokio::test]
async fn a_request_goes_out_and_comes_back() {
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
async fn addresses_that_are_not_public_are_refused_however_they_are_written() {
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
        assert!(matches!(send(&outbound, get(url)).await, Err(OutboundError::Forbidden(_))), "{url}");
    }
}

#[tokio::test]
async fn urls_with_a_user_or_another_scheme_are_refused() {
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
async fn a_name_is_refused_for_where_it_leads() {
    let names = HashMap::from([
        ("inside.example", vec![vec!["10.0.0.1".parse().unwrap(), "::1".parse().unwrap()]]),
        ("nothing.example", vec![vec![]]),
    ]);
    let outbound = allowing(&[], Names { names, ..Names::default() });
    assert!(matches!(send(&outbound, get("http://inside.example/")).await, Err(OutboundError::Forbidden(_))));
    assert!(matches!(send(&outbound, get("http://nothing.example/")).await, Err(OutboundError::Failed(_))));
    assert!(matches!(send(&outbound, get("http://unknown.example/")).await, Err(OutboundError::Failed(_))));
}

#[tokio::test]
async fn a_name_that_changes_its_mind_is_asked_once_and_connected_to_where_it_was_checked() {
    let address = server(Router::new().fallback(echo)).await;
    // The first answer is allowed here; had the name been asked again to connect, the second would be another host.
    let answers = vec![vec!["127.0.0.1".parse().unwrap()], vec!["127.0.0.2".parse().unwrap()]];
    let names = Names { names: HashMap::from([("twice.example", answers)]), ..Names::default() };
    let names = Arc::new(names);
    let outbound = OutboundClient::with_resolver(vec!["127.0.0.1/32".parse().unwrap()], names.clone()).unwrap();
    let url = format!("http://twice.example:{}/", address.port());
    assert!(send(&outbound, get(&url)).await.is_ok());
    assert_eq!(names.asked.load(Ordering::Relaxed), 1);
    // The next request asks anew, and is judged anew.
    assert!(matches!(send(&outbound, get(&url)).await, Err(OutboundError::Forbidden(_))));
}

#[tokio::test]
async fn an_address_beside_a_private_one_is_the_one_connected_to() {
    let address = server(Router::new().fallback(echo)).await;
    let both = vec![vec!["10.255.255.1".parse().unwrap(), "127.0.0.1".parse().unwrap()]];
    let outbound =
        allowing(&["127.0.0.0/8"], Names { names: HashMap::from([("both.example", both)]), ..Names::default() });
    assert!(send(&outbound, get(format!("http://both.example:{}/", address.port()))).await.is_ok());
}

#[tokio::test]
async fn redirects_are_followed_and_checked_again() {
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
    assert!(matches!(send(&outbound, at("/in")).await, Err(OutboundError::Forbidden(_))));
    assert!(matches!(send(&outbound, at("/meta")).await, Err(OutboundError::Forbidden(_))));
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
async fn another_origin_gets_no_header_that_may_be_a_key() {
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
async fn a_body_is_read_to_its_limit_and_no_further() {
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
    assert!(sent.load(Ordering::Relaxed) < 10_000, "the rest was not waited for");
}

#[tokio::test]
async fn a_server_that_stalls_is_given_up() {
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
async fn a_host_that_refuses_is_told_without_its_url() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let fault = send(&local(), get(format!("http://{address}/?key=secret"))).await.unwrap_err();
    assert!(matches!(&fault, OutboundError::Failed(_)), "{fault:?}");
    assert!(!fault.to_string().contains("secret"));
}

#[tokio::test]
async fn a_run_towards_a_server_that_never_answers_leaves_room_for_others() {
    let waiting = Arc::new(AtomicUsize::new(0));
    let counter = waiting.clone();
    let tar_pit = move || {
        counter.fetch_add(1, Ordering::Relaxed);
        std::future::pending::<()>()
    };
    let address = server(Router::new().route("/tar", any(tar_pit)).route("/swift", any(|| async { "here" }))).await;
    let outbound = Arc::new(local());
    let wide = RunOutboundClient::new(&outbound);
    let requests: Vec<_> = (0..2 * MAX_CONCURRENT)
        .map(|_| {
            let (wide, request) = (wide.clone(), get(format!("http://{address}/tar")));
            tokio::spawn(async move { wide.send(request, |_| 1000).await })
        })
        .collect();
    while waiting.load(Ordering::Relaxed) < MAX_CONCURRENT_OF_RUN {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let swift = RunOutboundClient::new(&outbound);
    let answer = swift.send(get(format!("http://{address}/swift")), |_| 1000);
    let answer = tokio::time::timeout(Duration::from_secs(4), answer).await.expect("another run has room").unwrap();
    assert_eq!((&answer.body[..], waiting.load(Ordering::Relaxed)), (&b"here"[..], MAX_CONCURRENT_OF_RUN));
    for request in requests {
        request.abort();
    }
}
