//! `llm`: calls a model.

mod call;
mod context;
mod data;
mod parameters;
mod prompt;
mod reasoning;
mod structured_output;

use std::time::Instant;

use futures_util::StreamExt;
use serde_json::{Value, json};

use self::{call::ModelCall, data::LlmMode, reasoning::ReasoningFilter};
use super::{
    outcome::{NodeError, NodeOutcome, NodeResult, NodeRun},
    text_sender::TextSender,
};
use crate::{
    domain::app::full_provider,
    runtime::builtin::{
        json::JsonObject,
        model::{
            ModelChunk, Models, Prompt, Usage,
            prompt::{add_images, messages_json},
        },
    },
};

pub(crate) use self::{context::LlmContext, data::LlmNodeData};

/// The finish reason when the model reports none.
const DEFAULT_FINISH_REASON: &str = "stop";

/// How an answer is read.
struct AnswerOptions {
    /// Longest answer, in bytes.
    limit: usize,
    /// Receives the text while it is generated.
    texts: Option<TextSender>,
    /// Whether the model's reasoning is separated from its text.
    separates_reasoning: bool,
}

/// Renders the prompt and starts the call. `texts` receives the answer while it is generated.
pub(crate) fn start(data: &LlmNodeData, context: &LlmContext<'_>, texts: Option<TextSender>) -> NodeRun {
    let output_schema = match data.output_schema() {
        Ok(schema) => schema.cloned(),
        Err(error) => return NodeRun::Ready(Err(error)),
    };
    let parameters = match parameters::resolve(&data.model.completion_params, context.view, context.limit) {
        Ok(parameters) => parameters,
        Err(error) => return NodeRun::Ready(Err(error.into())),
    };
    let (mut inputs, messages) = match prompt::messages(data, context) {
        Ok(rendered) => rendered,
        Err(error) => return NodeRun::Ready(Err(error)),
    };
    let (provider, model, mode) = (data.model.provider.clone(), data.model.name.clone(), data.model.mode);
    let full_provider = full_provider(&provider);
    inputs.insert("model_provider".to_owned(), Value::String(full_provider.clone()));
    inputs.insert("model_name".to_owned(), Value::String(model.clone()));
    let images = if mode == LlmMode::Chat { data.vision.images(context) } else { Vec::new() };
    let (models, call) = (context.models.clone(), ModelCall::new(context.usage.clone()));
    let separates_reasoning = data.separates_reasoning();
    let options = AnswerOptions { limit: context.limit, texts, separates_reasoning };
    NodeRun::Pending(Box::pin(async move {
        let mut messages = match prompt::finish(messages, options.limit).await {
            Ok(messages) => messages,
            Err(error) => return Err(error.with_inputs(inputs)),
        };
        add_images(&mut messages, images);
        let mut process_data = JsonObject::new();
        process_data.insert("model_mode".to_owned(), json!(if mode == LlmMode::Chat { "chat" } else { "completion" }));
        process_data.insert("prompts".to_owned(), messages_json(&messages));
        process_data.insert("model_provider".to_owned(), Value::String(full_provider));
        process_data.insert("model_name".to_owned(), Value::String(model.clone()));
        let prompt = Prompt { provider, model, parameters, messages, output_schema };
        run_call(&*models, prompt, call, options, (inputs, process_data)).await
    }))
}

async fn run_call(
    models: &dyn Models,
    prompt: Prompt,
    mut call: ModelCall,
    options: AnswerOptions,
    (inputs, mut process_data): (JsonObject, JsonObject),
) -> NodeResult {
    let started = Instant::now();
    let is_structured = prompt.output_schema.is_some();
    let (mut finish_reason, mut first_text) = (DEFAULT_FINISH_REASON.to_owned(), None);
    let mut filter = options.separates_reasoning.then(ReasoningFilter::default);
    let result = async {
        let prompt_usage = Usage::estimated(&prompt.messages, "");
        let mut chunks = models.stream(prompt).await.map_err(|error| error.to_string())?;
        call.prompt_usage = prompt_usage;
        while let Some(chunk) = chunks.next().await {
            match chunk.map_err(|error| error.to_string())? {
                ModelChunk::Text(part) if part.is_empty() => {}
                ModelChunk::Text(part) => {
                    if call.text.len() + part.len() > options.limit {
                        return Err(format!("the model's answer is longer than {} bytes", options.limit));
                    }
                    first_text.get_or_insert_with(|| started.elapsed());
                    call.text.push_str(&part);
                    send(options.texts.as_ref(), filter.as_mut().map_or(part.clone(), |filter| filter.push(&part)))
                        .await;
                }
                ModelChunk::Finish(reason) => finish_reason = reason,
                ModelChunk::Usage(usage) => call.reported_usage = Some(usage),
            }
        }
        if let Some(filter) = &mut filter {
            send(options.texts.as_ref(), filter.finish()).await;
        }
        Ok(())
    }
    .await;
    let (text, usage) = call.end();
    let usage_block = json!(usage.block(started.elapsed(), first_text));
    process_data.insert("usage".to_owned(), usage_block.clone());
    let failed = |kind, message, inputs, process_data| {
        Err(Box::new(NodeError { message, kind, inputs, process_data, usage: Some(usage), ..NodeError::default() }))
    };
    if let Err(message) = result {
        return failed("InvokeError", message, inputs, process_data);
    }
    process_data.insert("finish_reason".to_owned(), json!(finish_reason));
    let structured_output = match is_structured.then(|| structured_output::parse(&text)).transpose() {
        Ok(output) => output,
        Err(message) => return failed("LLMNodeError", message, inputs, process_data),
    };
    let (text, reasoning) = if options.separates_reasoning { reasoning::split(&text) } else { (text, String::new()) };
    let mut outputs = answer_outputs(text, reasoning, usage_block, finish_reason);
    if let Some(output) = structured_output {
        outputs.insert("structured_output".to_owned(), Value::Object(output));
    }
    Ok(NodeOutcome { inputs, process_data, outputs, usage: Some(usage), branch: None })
}

fn answer_outputs(text: String, reasoning: String, usage: Value, finish_reason: String) -> JsonObject {
    let mut outputs = JsonObject::new();
    outputs.insert("text".to_owned(), Value::String(text));
    outputs.insert("reasoning_content".to_owned(), Value::String(reasoning));
    outputs.insert("usage".to_owned(), usage);
    outputs.insert("finish_reason".to_owned(), Value::String(finish_reason));
    outputs
}

async fn send(texts: Option<&TextSender>, text: String) {
    if let Some(texts) = texts.filter(|_| !text.is_empty()) {
        texts.send(text).await;
    }
}
