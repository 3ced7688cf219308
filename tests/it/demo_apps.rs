//! The demo apps of `dev` run.

use serde_json::json;

use crate::support::{demo_user::DemoUser, dev_server::DevServer};

#[tokio::test(flavor = "multi_thread")]
async fn demo_app_of_every_mode_runs_without_an_api_key() {
    let data = tempfile::tempdir().unwrap();
    let server = DevServer::start(data.path());
    let user = DemoUser::sign_in(&server).await;
    assert_eq!(user.apps.len(), 5, "{:?}", user.apps);
    for (app, body, answer) in [
        ("Parrot", json!({"inputs": {}, "query": "Who is a pretty bird?"}), "You said: Who is a pretty bird?"),
        ("Parrot", json!({"inputs": {}, "query": "Reply exactly: Polly wants a cracker."}), "Polly wants a cracker."),
        ("Detective", json!({"inputs": {}, "query": "The butler did it."}), "You said: The butler did it."),
        ("Translator", json!({"inputs": {"text": "Good morning", "language": "German"}}), "[German] Good morning"),
        (
            "Concierge",
            json!({"inputs": {}, "query": "A table for two."}),
            "Hotel Echo, request no. 1: You said: A table for two.",
        ),
    ] {
        assert_eq!(user.run(app, &body).await["answer"], answer, "{app}");
    }
    for (inputs, greeting) in [
        (json!({"name": "Ada"}), "Hello, Ada!"),
        (json!({"name": "Ada", "language": "French", "formal": true}), "Bonjour, Ada !"),
        (json!({"name": "Ada", "language": "German", "formal": false}), "Hallo, Ada!"),
    ] {
        let run = user.run("Greeting", &json!({"inputs": inputs})).await;
        assert_eq!(run["data"]["outputs"], json!({"greeting": greeting}));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn concierge_counts_requests_of_a_conversation() {
    let data = tempfile::tempdir().unwrap();
    let server = DevServer::start(data.path());
    let user = DemoUser::sign_in(&server).await;
    let first = user.run("Concierge", &json!({"inputs": {}, "query": "A taxi."})).await;
    let again = json!({"inputs": {}, "query": "Two taxis.", "conversation_id": first["conversation_id"]});
    let second = user.run("Concierge", &again).await;
    assert_eq!(second["conversation_id"], first["conversation_id"]);
    assert_eq!(second["answer"], "Hotel Echo, request no. 2: You said: Two taxis.");
}
