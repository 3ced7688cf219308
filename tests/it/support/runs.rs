//! Runs of apps over JSON and gRPC, and their events for snapshots.

use dify_openapi::testing::{
    domain::sha256_hex,
    rpc::{
        Object,
        proto::{RunAppRequest, RunAppResponse},
    },
};
use reqwest::{Method, RequestBuilder};
use serde_json::{Map, Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tonic::{Status, Streaming};

use super::{
    Bearer, TestServer,
    answer::{Answer, redact},
    apps,
    grpc::{Clients, channel, with_bearer},
};

/// A request to run an app.
pub fn request(bearer: &Bearer, app: &str, body: &Value) -> RequestBuilder {
    bearer.request(Method::POST, &format!("/openapi/v1/apps/{app}/run")).json(body)
}

/// The response to a blocking run.
pub async fn blocking(bearer: &Bearer, app: &str, mut body: Value) -> Answer {
    body["response_mode"] = json!("blocking");
    Answer::to(request(bearer, app, &body)).await
}

/// Sends a run over a socket of its own; dropping the socket disconnects.
pub async fn send_over_socket(server: &TestServer, bearer: &Bearer, app: &str, body: &Value) -> TcpStream {
    let body = body.to_string();
    let head = format!(
        "POST /openapi/v1/apps/{app}/run HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        bearer.token,
        body.len()
    );
    let mut socket = TcpStream::connect(server.running().bound.public).await.unwrap();
    socket.write_all((head + &body).as_bytes()).await.unwrap();
    socket
}

/// Reads from a socket until the first event.
pub async fn read_first_event(socket: &mut TcpStream) {
    let (mut received, mut piece) = (Vec::new(), [0; 4096]);
    while !received.windows(6).any(|window| window == b"data: ") {
        let read = socket.read(&mut piece).await.unwrap();
        assert!(read > 0, "the connection closed: {}", String::from_utf8_lossy(&received));
        received.extend_from_slice(&piece[..read]);
    }
}

/// Waits until so many runs are active in the process.
pub async fn wait_for_running(server: &TestServer, runs: usize) {
    let tracker = &server.running().app.run_tasks().tracker;
    for _ in 0..400 {
        if tracker.len() == runs {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    panic!("{} runs are active, not {runs}", tracker.len());
}

/// The end user that the service derives from an account.
pub fn end_user_id(account: &str) -> String {
    let id: uuid::Uuid = account.parse().unwrap();
    let known = [b"dify-openapi app user\0", &id.as_bytes()[..]].concat();
    format!("openapi-{}", &sha256_hex(&known)[..32])
}

/// The events of a streaming run over JSON, read to its end.
pub async fn streamed(bearer: &Bearer, app: &str, mut body: Value) -> Vec<Value> {
    body["response_mode"] = json!("streaming");
    let answer = Answer::to(request(bearer, app, &body)).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "text/event-stream"), "{}", answer.text);
    events(&answer.text)
}

/// The events of a stream's text, without pings.
pub fn events(text: &str) -> Vec<Value> {
    let frames = text.split_terminator("\n\n").filter(|frame| *frame != "event: ping");
    let data = frames.map(|frame| frame.strip_prefix("data: ").unwrap_or_else(|| panic!("no frame: {frame}")));
    data.map(|data| serde_json::from_str(data).unwrap_or_else(|_| panic!("no event: {data}"))).collect()
}

/// The run request as a gRPC message.
pub fn message(app: &str, body: &Value) -> RunAppRequest {
    let text = |name: &str| body[name].as_str().map(str::to_owned);
    RunAppRequest {
        id: app.to_owned(),
        inputs: body["inputs"].as_object().cloned().map(Object::from),
        query: text("query"),
        files: Vec::new(),
        response_mode: text("response_mode"),
        conversation_id: text("conversation_id"),
        auto_generate_name: None,
        workflow_id: text("workflow_id"),
        workspace_id: text("workspace_id"),
        mode: text("mode"),
    }
}

/// Starts a run over gRPC and returns its open stream.
pub async fn open_stream(
    server: &TestServer,
    bearer: &Bearer,
    app: &str,
    body: &Value,
) -> Result<Streaming<RunAppResponse>, Status> {
    let mut client = Clients::on(channel(server).await).app;
    Ok(client.run_app(with_bearer(message(app, body), &bearer.token)).await?.into_inner())
}

/// The events of a run over gRPC, read to its end.
pub async fn over_grpc(server: &TestServer, bearer: &Bearer, app: &str, body: &Value) -> Result<Vec<Value>, Status> {
    let mut stream = open_stream(server, bearer, app, body).await?;
    let mut events = Vec::new();
    while let Some(response) = stream.message().await? {
        let event = Value::Object(response.data.unwrap_or_default().into_members());
        assert_eq!(event["event"].as_str().unwrap_or("workflow_finished"), response.event);
        events.push(event);
    }
    Ok(events)
}

/// Events for a snapshot, one per line, without ids and times.
pub fn lines(events: &[Value]) -> String {
    events.iter().map(|event| without_times(redact(event.clone())).to_string() + "\n").collect()
}

/// Replaces times and durations with 0.
fn without_times(value: Value) -> Value {
    const TIME_MEMBERS: [&str; 7] = [
        "created_at",
        "finished_at",
        "elapsed_time",
        "latency",
        "time_to_first_token",
        "time_to_generate",
        "sys.timestamp",
    ];
    match value {
        Value::Object(members) => Value::Object(
            members
                .into_iter()
                .map(|(name, value)| {
                    let is_time = TIME_MEMBERS.contains(&name.as_str()) && value.is_number();
                    (name, if is_time { json!(0) } else { without_times(value) })
                })
                .collect::<Map<_, _>>(),
        ),
        Value::Array(items) => Value::Array(items.into_iter().map(without_times).collect()),
        Value::String(text) if text.starts_with("openapi-") && text.len() == 40 => json!("[user]"),
        other => other,
    }
}

/// Creates an app without a graph, with the echo model and a form with the variable `name`. Returns its id.
pub async fn prompt_app(server: &TestServer, mode: &str) -> String {
    let workspace = apps::shared_workspace(server).await;
    let app = apps::insert(server, &workspace, mode, mode, 0).await;
    let model = json!({"provider": "echo", "name": "echo", "mode": "chat", "completion_params": {}});
    let form = json!([{"text-input": {"variable": "name", "label": "Name", "required": true, "max_length": 8}}]);
    let prompt = "You speak to {{name}}.";
    apps::configure(
        server,
        &app,
        &[("model", model), ("pre_prompt", json!(prompt)), ("prompt_type", json!("simple")), ("user_input_form", form)],
    )
    .await;
    app
}

/// Creates an app with a published chain of these nodes, after a start node with the variable `name`. Returns its id.
pub async fn graph_app(server: &TestServer, mode: &str, nodes: &[Value]) -> String {
    let start = json!({"id": "start", "data": {"type": "start", "title": "Start", "variables": [
        {"variable": "name", "label": "Name", "type": "text-input", "required": true, "max_length": 8}]}});
    let nodes: Vec<Value> = std::iter::once(start).chain(nodes.iter().cloned()).collect();
    let edges: Vec<Value> = nodes
        .windows(2)
        .enumerate()
        .map(|(index, pair)| {
            json!({"id": format!("e{index}"), "source": pair[0]["id"], "target": pair[1]["id"],
                "sourceHandle": "source", "targetHandle": "target"})
        })
        .collect();
    let workspace = apps::shared_workspace(server).await;
    let app = apps::insert(server, &workspace, mode, mode, 0).await;
    apps::publish(server, &app, &json!({"nodes": nodes, "edges": edges}), &json!({})).await;
    app
}

/// A node that renders a greeting.
pub fn greeting() -> Value {
    json!({"id": "greet", "data": {"type": "template-transform", "title": "Greet", "template": "Hello {{ who }}",
        "variables": [{"variable": "who", "value_selector": ["start", "name"]}]}})
}

/// An end node with the greeting.
pub fn end() -> Value {
    json!({"id": "end", "data": {"type": "end", "title": "End",
        "outputs": [{"variable": "text", "value_selector": ["greet", "output"]}]}})
}

/// An answer node with the greeting.
pub fn answer() -> Value {
    json!({"id": "answer", "data": {"type": "answer", "title": "Answer", "answer": "{{#greet.output#}}!"}})
}

/// A chatflow that answers with a long text, word by word where `ECHO_PACE_MS` is set.
pub async fn talking_app(server: &TestServer) -> String {
    let model = json!({"id": "greet", "data": {"type": "llm", "title": "Talk",
        "model": {"provider": "echo", "name": "echo", "mode": "chat", "completion_params": {}},
        "prompt_template": [{"role": "user", "text": "{{#sys.query#}}"}], "memory": null,
        "context": {"enabled": false, "variable_selector": []}}});
    let mut node = answer();
    node["data"]["answer"] = json!("{{#greet.text#}}");
    graph_app(server, "advanced-chat", &[model, node]).await
}

/// The body of a streaming run of [`talking_app`] that answers with so many words.
pub fn words(count: usize) -> Value {
    let words = (0..count).map(|index| format!("w{index}")).collect::<Vec<_>>().join(" ");
    json!({"inputs": {"name": "Ann"}, "query": format!("Reply exactly: {words}"), "response_mode": "streaming"})
}

/// The events of a response as they arrive.
pub struct EventReader {
    response: reqwest::Response,
    text: String,
}

impl EventReader {
    pub async fn open(request: RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let (status, kind) = (response.status().as_u16(), response.headers().get("content-type").cloned());
        let is_stream = status == 200 && kind.is_some_and(|kind| kind == "text/event-stream");
        assert!(is_stream, "{status}: {}", response.text().await.unwrap());
        Self { response, text: String::new() }
    }

    /// The next event without pings; `None` at the end.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            while let Some((frame, rest)) = self.text.split_once("\n\n") {
                let (frame, rest) = (frame.to_owned(), rest.to_owned());
                self.text = rest;
                if let Some(event) = events(&(frame + "\n\n")).pop() {
                    return Some(event);
                }
            }
            let piece = self.response.chunk().await.ok()??;
            self.text.push_str(std::str::from_utf8(&piece).unwrap());
        }
    }

    /// The events until the end of the stream.
    pub async fn rest(mut self) -> Vec<Value> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }
}

/// Starts a streaming run and reads its first event.
pub async fn started(request: RequestBuilder) -> (EventReader, Value) {
    let mut reader = EventReader::open(request).await;
    let first = reader.next().await.unwrap();
    (reader, first)
}

/// The response to stopping a task.
pub async fn stop(bearer: &Bearer, app: &str, task: &str) -> Answer {
    let path = format!("/openapi/v1/apps/{app}/tasks/{task}/stop");
    Answer::to(bearer.request(Method::POST, &path).json(&json!({}))).await
}

/// A request to follow a run.
pub fn follow_request(bearer: &Bearer, app: &str, run: &str, query: &str) -> RequestBuilder {
    bearer.request(Method::GET, &format!("/openapi/v1/apps/{app}/tasks/{run}/events?{query}"))
}
