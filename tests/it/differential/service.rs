//! Runs cases on the service: imports the app and streams its runs.

use dify_openapi::testing::{
    domain::{ImportTarget, WorkspaceId},
    dsl,
    ports::Clock as _,
};
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};

use super::{
    cases::Case,
    observation::{Ids, observation},
    oracle::Upstream,
};
use crate::support::{Bearer, Stores, TestServer, apps, database, runs, server::OWNER};

/// Cases that run at the same time.
const CONCURRENT: usize = 4;

pub struct Service {
    server: TestServer,
    bearer: Bearer,
    workspace: WorkspaceId,
    /// The end user that the runs belong to.
    user: String,
}

impl Service {
    pub async fn start(upstream: &Upstream) -> Self {
        let model = format!("{}/v1", upstream.url);
        let variables = [
            ("OPENAI_BASE_URL", model.as_str()),
            ("HTTP_REQUEST_ALLOWED_NETWORKS", "127.0.0.0/8"),
            ("OPENAPI_RATE_LIMIT_PER_TOKEN", "0"),
        ];
        let server = TestServer::start_with(Stores::Sqlite, &variables).await;
        let bearer = Bearer::sign_in(&server, OWNER, "laptop").await;
        let workspace = WorkspaceId(apps::shared_workspace(&server).await.parse().unwrap());
        let user = runs::end_user_id(&database::account_id(&server, OWNER).await);
        Self { server, bearer, workspace, user }
    }

    /// What happened in each case: `{"turns": [observation]}`, or `{"error"}` for an app that is refused.
    pub async fn run_all(&self, cases: &[Case]) -> Vec<Value> {
        let runs = stream::iter(cases)
            .map(|case| async { self.run(case).await.unwrap_or_else(|error| json!({"error": error})) });
        runs.buffered(CONCURRENT).collect().await
    }

    async fn run(&self, case: &Case) -> Result<Value, String> {
        let read = dsl::read(&case.dsl).map_err(|fault| fault.to_string())?;
        let imported =
            self.server.sql().import_app(self.workspace, &read.app, ImportTarget::New, self.server.clock.now()).await;
        let app = imported.map_err(|error| error.to_string())?.id.to_string();
        let (mut turns, mut conversation) = (Vec::new(), Value::Null);
        for turn in &case.turns {
            let mut body = json!({"inputs": turn["inputs"], "response_mode": "streaming"});
            if read.app.mode.is_chat() {
                body["query"] = turn["query"].clone();
                if conversation.is_string() {
                    body["conversation_id"] = conversation.clone();
                }
            }
            let answer = runs::request(&self.bearer, &app, &body).send().await.unwrap();
            let (status, text) = (answer.status(), answer.text().await.unwrap());
            if status != 200 {
                return Err(text);
            }
            let events = runs::events(&text);
            conversation.clone_from(&events[0]["conversation_id"]);
            turns.push(observation(&events, &Ids::of(&events, &app, &self.user)));
        }
        Ok(json!({"turns": turns}))
    }
}
