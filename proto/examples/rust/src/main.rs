//! Signs in, lists the apps of a workspace, and runs one over gRPC.
//!
//! ```sh
//! cargo run -p run-app -- http://127.0.0.1:5001 Parrot "it streams"
//! ```
//!
//! The token is read from `DIFY_TOKEN`. Without it the program signs in through the browser.

use std::{env, error::Error, io::Write as _, process::ExitCode, time::Duration};

use prost_types::Struct;
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    transport::Channel,
};
use tonic_types::StatusExt as _;

use proto::{
    CreateDeviceCodeRequest, DescribeAppRequest, GetAccountRequest, ListAppsRequest, PollDeviceTokenRequest,
    RunAppRequest, RunAppResponse, app_service_client::AppServiceClient,
    device_flow_service_client::DeviceFlowServiceClient, identity_service_client::IdentityServiceClient,
    run_event::Event,
};

#[allow(dead_code, reason = "the messages of the options are generated, too")]
mod proto {
    tonic::include_proto!("dify.openapi.v1");
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [url, name, query] = arguments.as_slice() else {
        eprintln!("usage: run-app URL APP QUERY");
        return ExitCode::from(2);
    };
    match run(url, name, query).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", describe(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

async fn run(url: &str, name: &str, query: &str) -> Result<(), Box<dyn Error>> {
    let channel = Channel::from_shared(url.to_owned())?.connect().await?;
    let token = match env::var("DIFY_TOKEN") {
        Ok(token) => token,
        Err(_) => sign_in(DeviceFlowServiceClient::new(channel.clone())).await?,
    };
    let bearer: MetadataValue<Ascii> = format!("Bearer {token}").parse()?;
    let authorize = |mut request: Request<()>| {
        request.metadata_mut().insert("authorization", bearer.clone());
        Ok(request)
    };

    let mut identity = IdentityServiceClient::with_interceptor(channel.clone(), authorize);
    let account = identity.get_account(GetAccountRequest {}).await?.into_inner();
    let workspace_id = account.default_workspace_id;
    println!("Signed in as {}", account.subject_email);

    let mut apps = AppServiceClient::with_interceptor(channel, authorize);
    let list = ListAppsRequest { workspace_id: workspace_id.clone(), ..Default::default() };
    for app in apps.list_apps(list).await?.into_inner().data {
        println!("{}: {}", app.mode, app.name);
    }

    let describe = DescribeAppRequest { id: name.to_owned(), workspace_id, ..Default::default() };
    let info = apps.describe_app(describe).await?.into_inner().info.unwrap_or_default();
    let run = RunAppRequest {
        id: info.id,
        inputs: Some(Struct::default()),
        query: Some(query.to_owned()),
        ..Default::default()
    };
    let mut events = apps.run_app(run).await?.into_inner();
    while let Some(event) = events.message().await? {
        print!("{}", text_of(event)?);
        std::io::stdout().flush()?;
    }
    println!();
    Ok(())
}

/// Prints a code, and returns the token once the person has approved it in the browser (RFC 8628).
async fn sign_in(mut devices: DeviceFlowServiceClient<Channel>) -> Result<String, Status> {
    let client_id = "difyctl".to_owned();
    let request =
        CreateDeviceCodeRequest { client_id: client_id.clone(), device_label: Some("the Rust example".to_owned()) };
    let codes = devices.create_device_code(request).await?.into_inner();
    println!("Open {} and enter {}", codes.verification_uri, codes.user_code);
    let poll = PollDeviceTokenRequest { device_code: codes.device_code, client_id, grant_type: None };
    let mut interval = Duration::from_secs(codes.interval.try_into().unwrap_or(5));
    loop {
        tokio::time::sleep(interval).await;
        match devices.poll_device_token(poll.clone()).await {
            Ok(token) => return Ok(token.into_inner().token),
            Err(status) => match reason(&status).as_deref() {
                Some("AUTHORIZATION_PENDING") => {}
                Some("SLOW_DOWN") => interval += Duration::from_secs(5),
                _ => return Err(status),
            },
        }
    }
}

/// The text that an event adds to the answer of a chat, or to that of a workflow.
fn text_of(event: RunAppResponse) -> Result<String, String> {
    match event.typed.and_then(|typed| typed.event) {
        Some(Event::Message(message) | Event::AgentMessage(message)) => Ok(message.answer),
        Some(Event::TextChunk(chunk)) => Ok(chunk.text),
        Some(Event::Error(error)) => Err(format!("The run failed: {}", error.message)),
        _ => Ok(String::new()),
    }
}

/// The reason of an error.
fn reason(status: &Status) -> Option<String> {
    Some(status.get_details_error_info()?.reason)
}

/// An error as one line: that of a call with its reason and its hint.
fn describe(error: &(dyn Error + 'static)) -> String {
    let status = error.downcast_ref::<Status>();
    match status.and_then(|status| Some((status, status.get_details_error_info()?))) {
        Some((status, info)) => {
            let hint = info.metadata.get("hint").map(String::as_str).unwrap_or_default();
            format!("{}: {} {hint}", info.reason, status.message())
        }
        None => error.to_string(),
    }
}
