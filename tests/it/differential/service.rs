//! Runs cases on the service: imports the app and streams its runs.

use dify_openapi::testing::{
    domain::{AppFile, ImportTarget, WorkspaceId},
    dsl,
    ports::Clock as _,
};
use futures_util::{StreamExt as _, stream};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    cases::Case,
    observation::{Ids, observation},
};
use crate::support::{Answer, Bearer, Stores, TestServer, apps, database, forms, runs, server::OWNER};

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
    /// Starts a server that calls the model at this address.
    pub async fn start(upstream: &str) -> Self {
        let model = format!("{upstream}/v1");
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

    /// The id of the imported app, or why it is refused.
    pub async fn import(&self, app: &AppFile) -> Result<String, String> {
        let now = self.server.clock.now();
        let imported = self.server.sql().import_app(self.workspace, app, ImportTarget::New, now).await;
        imported.map(|imported| imported.id.to_string()).map_err(|error| error.to_string())
    }

    /// The description of an app.
    pub async fn describe(&self, app: &str) -> Value {
        Answer::to(self.bearer.request(Method::GET, &format!("/openapi/v1/apps/{app}/describe"))).await.json()
    }

    /// Submits the form that a run waits for, as the oracle does: the first action, and a text or the first option for
    /// each input. Replaces the events of the pause with those that follow it.
    async fn submit(&self, app: &str, events: &mut Vec<Value>) -> Result<(), String> {
        events.pop();
        let required = events.pop().unwrap();
        let (form, run) = (&required["data"], required["workflow_run_id"].as_str().unwrap());
        let value = |input: &Value| match input["option_source"]["value"].get(0) {
            Some(option) => option.clone(),
            None => format!("filled {}", input["output_variable_name"].as_str().unwrap()).into(),
        };
        let inputs = form["inputs"].as_array().unwrap().iter();
        let inputs: serde_json::Map<_, _> =
            inputs.map(|input| (input["output_variable_name"].as_str().unwrap().to_owned(), value(input))).collect();
        let follow = runs::follow_request(&self.bearer, app, run, "continue_on_pause=true");
        let mut follower = runs::EventReader::open(follow).await;
        let body = json!({"action": form["actions"][0]["id"], "inputs": inputs});
        let token = form["form_token"].as_str().unwrap();
        let answer = forms::submit_with(&self.bearer, app, token, &body).await;
        if answer.status != 200 {
            return Err(answer.text);
        }
        while let Some(event) = follower.next().await {
            let is_end = event["event"] == "workflow_finished" || event["event"] == "workflow_paused";
            events.push(event);
            if is_end {
                break;
            }
        }
        Ok(())
    }

    async fn run(&self, case: &Case) -> Result<Value, String> {
        let read = dsl::read(&case.dsl).map_err(|fault| fault.to_string())?;
        let app = self.import(&read.app).await?;
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
            let mut events = runs::events(&text);
            while events.last().is_some_and(|event| event["event"] == "workflow_paused") {
                self.submit(&app, &mut events).await?;
            }
            conversation.clone_from(&events[0]["conversation_id"]);
            turns.push(observation(&events, &Ids::of(&events, &app, &self.user)));
        }
        Ok(json!({"turns": turns}))
    }
}
