//! Answers of the daemon over sockets, with faults.

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Response},
    routing::post,
};
use futures_util::{StreamExt as _, stream};
use parking_lot::Mutex;
use serde_json::Map;
use tokio::net::TcpListener;
use uuid::Uuid;

use super::*;
use crate::{
    connections::plugin_daemon::PluginDaemonSettings,
    domain::{connection::values::CredentialValues, id::WorkspaceId, secret::Secret},
    memory::Owner,
};

/// Keeps every message.
#[derive(Default)]
struct Messages(Vec<Value>);

impl ToolMessages for Messages {
    fn receive(&mut self, message: Map<String, Value>) -> Result<(), ToolError> {
        self.0.push(Value::Object(message));
        Ok(())
    }

    fn weight(&self) -> usize {
        self.0.len() * 100
    }
}

fn call() -> ToolCall {
    let credentials = json!({"access_token": "the token"}).as_object().cloned().unwrap();
    ToolCall {
        workspace: WorkspaceId(Uuid::nil()),
        owners: [Owner::of(&1), Owner::of(&2)],
        user: "ann".to_owned(),
        provider: "acme/tools/weather".parse().unwrap(),
        tool: "forecast".to_owned(),
        credential_type: "oauth2".to_owned(),
        credentials: CredentialValues::new(credentials),
        parameters: json!({"city": "Oslo"}).as_object().cloned().unwrap(),
    }
}

fn line(data: &Value) -> String {
    format!("data: {}\n\n", json!({"code": 0, "message": "success", "data": data}))
}

fn text(text: &str) -> Value {
    json!({"type": "text", "message": {"text": text}, "meta": null})
}

/// A daemon that answers every request in this way.
async fn daemon(answer: impl Fn() -> Response<Body> + Clone + Send + Sync + 'static) -> PluginDaemonTools {
    within(answer, &MemoryLedger::unlimited()).await
}

async fn within(
    answer: impl Fn() -> Response<Body> + Clone + Send + Sync + 'static,
    memory: &MemoryLedger,
) -> PluginDaemonTools {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(post(move || async move { answer() }));
    tokio::spawn(async move { axum::serve(listener, router).await });
    tools_at(&url, memory)
}

fn tools_at(url: &str, memory: &MemoryLedger) -> PluginDaemonTools {
    let settings = PluginDaemonSettings {
        url: url.parse().unwrap(),
        key: Secret::new("the key"),
        metrics: std::sync::Arc::default(),
        clients: crate::http_client::HttpClients::default(),
    };
    PluginDaemonTools::new(PluginDaemonClient::new(&settings).unwrap(), memory)
}

fn body(status: u16, body: impl Into<Body>) -> Response<Body> {
    Response::builder().status(status).body(body.into()).unwrap()
}

async fn fault(tools: PluginDaemonTools) -> ToolError {
    tools.invoke(call(), &mut Messages::default()).await.unwrap_err()
}

#[tokio::test]
async fn request_names_plugin_tool_and_credentials() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let seen: Arc<Mutex<Option<(HeaderMap, Value)>>> = Arc::default();
    let keep = Arc::clone(&seen);
    let answer = move |headers: HeaderMap, body: String| async move {
        *keep.lock() = Some((headers, serde_json::from_str(&body).unwrap()));
        line(&text("sunny")) + &line(&text("!"))
    };
    let path = format!("/plugin/{}/dispatch/tool/invoke", Uuid::nil());
    let router = Router::new().route(&path, post(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let mut messages = Messages::default();
    tools_at(&url, &MemoryLedger::unlimited()).invoke(call(), &mut messages).await.unwrap();
    assert_eq!(messages.0, [text("sunny"), text("!")]);
    let (headers, body) = seen.lock().take().unwrap();
    assert_eq!(
        (&headers["x-api-key"], &headers["x-plugin-id"]),
        (&"the key".parse().unwrap(), &"acme/tools".parse().unwrap())
    );
    let data = json!({"provider": "weather", "tool": "forecast", "credentials": {"access_token": "the token"},
        "credential_type": "oauth2", "tool_parameters": {"city": "Oslo"}});
    assert_eq!(body, json!({"user_id": "ann", "data": data}));
}

#[tokio::test]
async fn error_of_the_plugin_is_the_failure_with_its_message() {
    let reported = |error_type: &str, message: &str| {
        let inner = json!({"args": {}, "error_type": error_type, "message": message});
        let outer = json!({"error_type": "PluginInvokeError", "message": inner.to_string()});
        let error = format!("data: {}\n\n", json!({"code": -500, "message": outer.to_string(), "data": null}));
        let answer = line(&text("begins")) + &error;
        async move {
            match fault(daemon(move || body(200, answer.clone())).await).await {
                ToolError::Failed { message, rejects_credentials } => (message, rejects_credentials),
                other => panic!("{other:?}"),
            }
        }
    };
    assert_eq!(reported("ValueError", "no such city").await, ("no such city".to_owned(), false));
    assert!(reported("ToolProviderCredentialValidationError", "bad token").await.1);
    assert!(reported("HTTPError", "401 Client Error: Unauthorized for url: https://a.example").await.1);
    assert!(reported("HTTPStatusError", "Client error '401 Unauthorized' for url 'https://a.example'").await.1);
    assert!(!reported("ValueError", "the page says 401 Client Error").await.1);
    assert_eq!(reported("ValueError", "").await.0, "the tool reports an error without a message");
}

#[tokio::test]
async fn faulty_answers_are_failures() {
    let invalid = "the answer of the tool cannot be used: ";
    let missing = json!({"error_type": "PluginNotFoundError", "message": "plugin not found"}).to_string();
    for (status, answer, expected) in [
        (
            200,
            "<html>data: gateway</html>".to_owned(),
            format!("{invalid}a line of the plugin daemon is not as specified"),
        ),
        (
            200,
            "data: {\"code\": 0, \"da".to_owned(),
            format!("{invalid}a line of the plugin daemon is not as specified"),
        ),
        (200, "data: {\"data\": {}}\n".to_owned(), format!("{invalid}a line of the plugin daemon is not as specified")),
        (200, line(&json!([1])), format!("{invalid}a message is not an object")),
        (200, json!({"code": -400, "message": "no tool"}).to_string(), "no tool".to_owned()),
        (401, String::new(), "the plugin daemon rejects this service".to_owned()),
        (503, String::new(), "the plugin daemon returned status 503".to_owned()),
        (404, "404 page not found".to_owned(), "the plugin daemon rejects the request".to_owned()),
        (404, "x".repeat(1 << 20), format!("{invalid}the error of the plugin daemon is too long")),
        (
            404,
            json!({"code": -404, "message": missing}).to_string(),
            "the plugin acme/tools is not installed in this workspace; install it in the plugin daemon".to_owned(),
        ),
    ] {
        let error = fault(daemon(move || body(status, answer.clone())).await).await;
        assert_eq!(error.to_string(), expected);
    }
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = fault(tools_at(&format!("http://{closed}"), &MemoryLedger::unlimited())).await;
    assert_eq!(error.to_string(), "the plugin daemon does not answer");
}

#[tokio::test]
async fn answer_that_is_cut_off_is_a_failure() {
    let cut = || {
        let parts = [Ok(line(&text("half"))), Err("the line broke")];
        body(200, Body::from_stream(stream::iter(parts)))
    };
    // The line may break before the head of the response has arrived.
    assert!(matches!(fault(daemon(cut).await).await, ToolError::Unavailable(_)));
}

#[tokio::test]
async fn answer_over_a_limit_is_a_failure() {
    let long = || body(200, line(&text(&"x".repeat(2_000))));
    let mut tools = daemon(long).await;
    assert_eq!((tools.limits.bytes, tools.limits.messages), (MAX_ANSWER, MAX_MESSAGES));
    assert_eq!(tools.limits.timeout, TOTAL_TIMEOUT);
    tools.limits.bytes = 1_000;
    assert!(matches!(fault(tools).await, ToolError::TooLarge { limit: 1_000 }));
    let mut tools = daemon(|| body(200, line(&text("a")).repeat(4))).await;
    tools.limits.messages = 3;
    assert!(matches!(fault(tools).await, ToolError::TooManyMessages { limit: 3 }));
    let ledger = MemoryLedger::with_limits(|_| 1 << 20);
    let tools = within(|| body(200, line(&text(&"x".repeat(2 << 20)))), &ledger).await;
    assert!(matches!(fault(tools).await, ToolError::Memory(_)));
}

/// Counts a request while it is open.
struct Guard(Arc<AtomicUsize>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn slow_tool_is_ended_and_a_dropped_call_closes_the_request() {
    let open = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&open);
    let hanging = move || {
        counter.fetch_add(1, Ordering::SeqCst);
        let guard = Guard(Arc::clone(&counter));
        let first = stream::iter([Ok::<_, std::io::Error>(line(&text("first")))]);
        let forever = stream::pending().inspect(move |_| _ = &guard);
        body(200, Body::from_stream(first.chain(forever)))
    };
    let mut tools = daemon(hanging).await;
    tools.limits.timeout = Duration::from_millis(300);
    let mut messages = Messages::default();
    let error = tools.invoke(call(), &mut messages).await.unwrap_err();
    assert!(matches!(error, ToolError::TimedOut { .. }) && messages.0 == [text("first")], "{error:?}");
    // The daemon notices that the connection is closed.
    let closed = async {
        while open.load(Ordering::SeqCst) > 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(10), closed).await.expect("the request is closed");
}
