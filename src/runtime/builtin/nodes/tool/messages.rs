//! Makes the node's outputs from the messages of a tool: `text`, `files`, `json`, and the variables that it sets.

use serde_json::{Map, Value, json};
use url::Url;

use crate::{
    domain::{
        file::{input::remote_name, kind::FileKind},
        id::WorkspaceId,
    },
    ports::tool_invoker::{ToolError, ToolMessages},
    runtime::builtin::{json::JsonObject, variables::value},
};

/// Outputs of the node itself, whose names no variable has.
const RESERVED: [&str; 3] = ["text", "files", "json"];
/// Longest address of a file, in bytes.
const MAX_URL: usize = 8 << 10;

/// What the messages have given so far.
#[derive(Debug)]
pub(super) struct ToolOutputs {
    workspace: WorkspaceId,
    text: String,
    files: Vec<Value>,
    json: Vec<Value>,
    variables: JsonObject,
    /// The approximate memory of `files`, `json` and `variables`, in bytes.
    values: usize,
    /// Largest output, in bytes.
    limit: usize,
}

impl ToolOutputs {
    pub(super) fn new(workspace: WorkspaceId, limit: usize) -> Self {
        let (files, json) = (Vec::new(), Vec::new());
        Self { workspace, text: String::new(), files, json, variables: JsonObject::new(), values: 0, limit }
    }

    pub(super) fn into_outputs(self) -> JsonObject {
        let json = if self.json.is_empty() { vec![json!({"data": []})] } else { self.json };
        let mut outputs = JsonObject::new();
        outputs.insert("text".to_owned(), self.text.into());
        outputs.insert("files".to_owned(), self.files.into());
        outputs.insert("json".to_owned(), json.into());
        outputs.extend(self.variables);
        outputs
    }

    fn add_text(&mut self, text: &str) -> Result<(), ToolError> {
        if self.text.len() + text.len() > self.limit {
            return Err(ToolError::TooLarge { limit: self.limit });
        }
        self.text.push_str(text);
        Ok(())
    }

    fn add_json(&mut self, message: &mut JsonObject) -> Result<(), ToolError> {
        match message.remove("json_object") {
            Some(value @ (Value::Object(_) | Value::Array(_))) => {
                if !value::is_falsy(&value) {
                    self.values += value::weight(&value);
                    self.json.push(value);
                }
                Ok(())
            }
            _ => Err(ToolError::InvalidAnswer("the value of a json message is neither an object nor a list")),
        }
    }

    /// A streamed variable is a text that comes in parts.
    fn set_variable(&mut self, message: &mut JsonObject) -> Result<(), ToolError> {
        let Some(Value::String(name)) = message.remove("variable_name") else {
            return Err(ToolError::InvalidAnswer("a variable has no name"));
        };
        if RESERVED.contains(&name.as_str()) {
            return Err(ToolError::InvalidAnswer("a variable has the name of another output: text, files or json"));
        }
        let value = message.remove("variable_value").unwrap_or_default();
        self.values += name.len() + value::weight(&value);
        if message.get("stream") != Some(&Value::Bool(true)) {
            self.variables.insert(name, value);
            return Ok(());
        }
        let Value::String(part) = value else {
            return Err(ToolError::InvalidAnswer("the value of a streamed variable is not text"));
        };
        match self.variables.get_mut(&name) {
            Some(Value::String(text)) => {
                if text.len() + part.len() > self.limit {
                    return Err(ToolError::TooLarge { limit: self.limit });
                }
                text.push_str(&part);
            }
            _ => _ = self.variables.insert(name, Value::String(part)),
        }
        Ok(())
    }

    /// A file that stays where it is, in Dify's format.
    fn add_file(&mut self, url: &str, meta: &Value, is_image: bool) -> Result<(), ToolError> {
        let invalid = ToolError::InvalidAnswer("the address of a file is not an http URL");
        let parsed = Url::parse(url).ok().filter(|parsed| matches!(parsed.scheme(), "http" | "https"));
        let Some(parsed) = parsed.filter(|_| url.len() <= MAX_URL) else { return Err(invalid) };
        let text = |name: &str| meta.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let media_type = text("mime_type");
        let name = text("filename").map(str::to_owned).or_else(|| Some(remote_name(&parsed)?.as_str().to_owned()));
        let extension = name.as_deref().and_then(|name| Some(name.rsplit_once('.')?.1.to_ascii_lowercase()));
        let kind = if is_image {
            FileKind::Image
        } else {
            FileKind::of(extension.as_deref().unwrap_or_default(), media_type.unwrap_or_default())
        };
        let file = json!({
            "dify_model_identity": "__dify__file__",
            "id": null,
            "tenant_id": self.workspace.to_string(),
            "type": kind.as_str(),
            "transfer_method": "remote_url",
            "remote_url": url,
            "related_id": null,
            "filename": name,
            "extension": extension.map(|extension| format!(".{extension}")),
            "mime_type": media_type,
            "size": -1,
            "url": url,
        });
        self.values += value::weight(&file);
        self.files.push(file);
        Ok(())
    }
}

/// The text of a message.
fn text_of(message: &JsonObject) -> Result<&str, ToolError> {
    message.get("text").and_then(Value::as_str).ok_or(ToolError::InvalidAnswer("a message has no text"))
}

impl ToolMessages for ToolOutputs {
    fn receive(&mut self, mut message: Map<String, Value>) -> Result<(), ToolError> {
        let kind = message.remove("type");
        let kind = kind.as_ref().map_or(Some("text"), Value::as_str).unwrap_or_default();
        let mut content = match message.remove("message") {
            Some(Value::Object(content)) => content,
            _ => JsonObject::new(),
        };
        let meta = message.remove("meta").unwrap_or_default();
        match kind {
            "text" => self.add_text(text_of(&content)?),
            "link" => self.add_text(&format!("Link: {}\n", text_of(&content)?)),
            "json" => self.add_json(&mut content),
            "variable" => self.set_variable(&mut content),
            "image" | "image_link" => self.add_file(text_of(&content)?, &meta, true),
            "binary_link" => self.add_file(text_of(&content)?, &meta, false),
            "blob" | "blob_chunk" | "file" => {
                Err(ToolError::NotSupported("the tool returns the contents of a file, which is not supported here"))
            }
            // Logs, citations, and what later versions add.
            _ => Ok(()),
        }?;
        // What was replaced is counted, too, so that a tool cannot replace a value without end.
        if self.values > self.limit.saturating_mul(2) {
            return Err(ToolError::TooLarge { limit: self.limit.saturating_mul(2) });
        }
        Ok(())
    }

    fn weight(&self) -> usize {
        2 * self.text.len() + self.values
    }
}

#[cfg(test)]
mod tests;
