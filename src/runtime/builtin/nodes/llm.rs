//! `llm`: asks a model.

mod context;
mod data;
mod prompt;

use std::time::Instant;

use futures_util::StreamExt;
use serde_json::{Value, json};

use self::data::LlmMode;
use super::{
    outcome::{NodeError, NodeOutcome, NodeResult, NodeRun},
    text_sender::TextSender,
};
use crate::runtime::builtin::{
    json::JsonObject,
    model::{ModelChunk, Models, Prompt, Usage, prompt::messages_json, usage::UsageCounter},
};

pub(crate) use self::{context::LlmContext, data::LlmNodeData};

/// Why an answer ended whose model does not tell.
const FINISHED: &str = "stop";

/// A call of a model. What it took is counted however it ends, also when the engine drops it in the midst of an answer.
struct Call {
    taken: UsageCounter,
    /// Of the prompt and no answer; nothing until the model has taken the prompt.
    asked: Usage,
    /// What was answered so far.
    text: String,
    told: Option<Usage>,
}

impl Call {
    fn usage(&self) -> Usage {
        self.told.unwrap_or_else(|| {
            let mut usage = self.asked;
            usage.add(Usage::estimated(&[], &self.text));
            usage
        })
    }

    /// The answer, and what it took.
    fn end(mut self) -> (String, Usage) {
        let usage = self.usage();
        self.told = Some(usage);
        (std::mem::take(&mut self.text), usage)
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.taken.add(self.usage());
    }
}

/// Makes the prompt and asks the model.
pub(crate) fn start(data: &LlmNodeData, around: &LlmContext<'_>, listener: Option<TextSender>) -> NodeRun {
    let (inputs, lines) = match prompt::lines(data, around) {
        Ok(found) => found,
        Err(failure) => return NodeRun::Ready(Err(failure)),
    };
    let (provider, model) = (data.model.provider.clone(), data.model.name.clone());
    let parameters = data.model.completion_params.clone();
    let mode = data.model.mode;
    let (models, taken, limit) = (around.models.clone(), around.taken.clone(), around.limit);
    NodeRun::Pending(Box::pin(async move {
        let messages = match prompt::finish(lines, limit).await {
            Ok(messages) => messages,
            Err(failure) => return Err(failure.with_inputs(inputs)),
        };
        let mut process_data = JsonObject::new();
        process_data.insert("model_mode".to_owned(), json!(if mode == LlmMode::Chat { "chat" } else { "completion" }));
        process_data.insert("prompts".to_owned(), messages_json(&messages));
        process_data.insert("model_provider".to_owned(), Value::String(provider.clone()));
        process_data.insert("model_name".to_owned(), Value::String(model.clone()));
        let prompt = Prompt { provider, model, parameters, messages };
        let call = Call { taken, asked: Usage::default(), text: String::new(), told: None };
        ask(&*models, prompt, call, limit, listener, inputs, process_data).await
    }))
}

async fn ask(
    models: &dyn Models,
    prompt: Prompt,
    mut call: Call,
    limit: usize,
    listener: Option<TextSender>,
    inputs: JsonObject,
    mut process_data: JsonObject,
) -> NodeResult {
    let asked = Instant::now();
    let (mut reason, mut first) = (FINISHED.to_owned(), None);
    let heard = async {
        let asked_with = Usage::estimated(&prompt.messages, "");
        let mut chunks = models.stream(prompt).await.map_err(|fault| fault.to_string())?;
        call.asked = asked_with;
        while let Some(chunk) = chunks.next().await {
            match chunk.map_err(|fault| fault.to_string())? {
                ModelChunk::Text(part) if part.is_empty() => {}
                ModelChunk::Text(part) => {
                    if call.text.len() + part.len() > limit {
                        return Err(format!("the model's answer is longer than {limit} bytes"));
                    }
                    first.get_or_insert_with(|| asked.elapsed());
                    call.text.push_str(&part);
                    if let Some(listener) = &listener {
                        listener.send(part).await;
                    }
                }
                ModelChunk::Finish(told) => reason = told,
                ModelChunk::Usage(told) => call.told = Some(told),
            }
        }
        Ok(())
    }
    .await;
    let (text, usage) = call.end();
    let told = json!(usage.block(asked.elapsed(), first));
    process_data.insert("usage".to_owned(), told.clone());
    if let Err(message) = heard {
        let failure = NodeError {
            message,
            kind: "InvokeError",
            inputs,
            process_data,
            usage: Some(usage),
            ..NodeError::default()
        };
        return Err(Box::new(failure));
    }
    process_data.insert("finish_reason".to_owned(), json!(reason));
    let mut outputs = JsonObject::new();
    outputs.insert("text".to_owned(), Value::String(text));
    outputs.insert("reasoning_content".to_owned(), json!(""));
    outputs.insert("usage".to_owned(), told);
    outputs.insert("finish_reason".to_owned(), Value::String(reason));
    Ok(NodeOutcome { inputs, process_data, outputs, usage: Some(usage), branch: None })
}
