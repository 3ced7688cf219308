//! An app as a file: what reading it gives is the same app, and writing that gives the same bytes.

use serde_json::{Value, json};

use super::version::VERSION;
use crate::domain::{
    Error, Result,
    app::file::{AppBody, AppFile, GraphBody},
};

pub fn write(app: &AppFile) -> Result<String> {
    let mut document = json!({
        "version": VERSION,
        "kind": "app",
        "app": {
            "name": app.name,
            "mode": app.mode.as_str(),
            "description": app.description,
            "icon": app.icon,
            "icon_type": app.icon_type,
            "icon_background": app.icon_background,
            "use_icon_as_answer_icon": app.use_icon_as_answer_icon,
        },
    });
    match &app.body {
        AppBody::Model(config) => document["model_config"] = Value::Object(config.clone()),
        AppBody::Graph(GraphBody { graph, features, environment_variables, conversation_variables }) => {
            document["workflow"] = json!({
                "environment_variables": environment_variables,
                "conversation_variables": conversation_variables,
                "features": features,
                "graph": graph,
            });
        }
    }
    serde_saphyr::to_string(&document).map_err(Error::internal)
}
