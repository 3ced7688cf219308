//! `DslService`.

use serde_json::json;
use tonic::{Request, Response, Status, async_trait};

use super::{hint::CONFIRM_IMPORT, json::Object, proto, reply::ReplyStatus, request::caller, services::Rpc};
use crate::{
    domain::app::import::{AppOverrides, ImportState, ImportStatus},
    service::app_import::RequestedImport,
};

#[async_trait]
impl proto::dsl_service_server::DslService for Rpc {
    async fn export_app(
        &self,
        request: Request<proto::ExportAppRequest>,
    ) -> Result<Response<proto::ExportAppResponse>, Status> {
        let (caller, query) = (caller(&request)?, request.get_ref());
        let include_secrets = query.include_secret.unwrap_or(false);
        let exports = &self.services.app_exports;
        let data = exports.export(caller, &query.id, query.workflow_id.as_deref(), include_secrets).await?;
        Ok(Response::new(proto::ExportAppResponse { data }))
    }

    async fn check_dependencies(
        &self,
        request: Request<proto::CheckDependenciesRequest>,
    ) -> Result<Response<proto::CheckDependenciesResponse>, Status> {
        let missing = self.services.app_exports.missing_plugins(caller(&request)?, &request.get_ref().id).await?;
        Ok(Response::new(proto::CheckDependenciesResponse {
            leaked_dependencies: missing.iter().map(|plugin| dependency(plugin)).collect(),
        }))
    }

    async fn import_app(
        &self,
        request: Request<proto::ImportAppRequest>,
    ) -> Result<Response<proto::ImportAppResponse>, Status> {
        let (caller, message) = (caller(&request)?, request.get_ref());
        let requested = RequestedImport {
            mode: &message.mode,
            yaml_content: message.yaml_content.as_deref(),
            yaml_url: message.yaml_url.as_deref(),
            app_id: message.app_id.as_deref().filter(|id| !id.is_empty()),
        };
        let overrides = AppOverrides {
            name: given(message.name.as_deref()),
            description: given(message.description.as_deref()),
            icon_type: given(message.icon_type.as_deref()),
            icon: given(message.icon.as_deref()),
            icon_background: given(message.icon_background.as_deref()),
        };
        let imports = &self.services.app_imports;
        let state = imports.import(caller, &message.workspace_id, requested, overrides).await?;
        let hints = proto::Hint::list(&request, || match state.status {
            ImportStatus::Pending => {
                let input = [("workspace_id", json!(message.workspace_id)), ("import_id", json!(state.id.to_string()))];
                vec![proto::Hint::new("Confirm the import of a newer file", CONFIRM_IMPORT, &input)]
            }
            _ => Vec::new(),
        });
        let status = reply_status(state.status);
        let response = import_response(state, imports.current_version());
        Ok(with_status(proto::ImportAppResponse { hints, ..response }, status))
    }

    async fn confirm_import(
        &self,
        request: Request<proto::ConfirmImportRequest>,
    ) -> Result<Response<proto::ConfirmImportResponse>, Status> {
        let (imports, message) = (&self.services.app_imports, request.get_ref());
        let state = imports.confirm(caller(&request)?, &message.workspace_id, &message.import_id).await?;
        let status = reply_status(state.status);
        let import = import_response(state, imports.current_version());
        let response = proto::ConfirmImportResponse {
            id: import.id,
            status: import.status,
            app_id: import.app_id,
            app_mode: import.app_mode,
            current_dsl_version: import.current_dsl_version,
            imported_dsl_version: import.imported_dsl_version,
            error: import.error,
        };
        Ok(with_status(response, status))
    }
}

/// Reads an empty text as a missing one.
fn given(text: Option<&str>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(str::to_owned)
}

/// A failed import is 400 over JSON, and a message over gRPC.
fn reply_status(status: ImportStatus) -> Option<ReplyStatus> {
    match status {
        ImportStatus::Completed | ImportStatus::CompletedWithWarnings => None,
        ImportStatus::Pending => Some(ReplyStatus::Accepted),
        ImportStatus::Failed => Some(ReplyStatus::Rejected),
    }
}

fn with_status<T>(message: T, status: Option<ReplyStatus>) -> Response<T> {
    let mut response = Response::new(message);
    if let Some(status) = status {
        response.extensions_mut().insert(status);
    }
    response
}

fn import_response(state: ImportState, current_version: &str) -> proto::ImportAppResponse {
    proto::ImportAppResponse {
        id: state.id.to_string(),
        status: state.status.as_str().to_owned(),
        app_id: state.app_id.map(|id| id.to_string()),
        app_mode: state.app_mode.map(|mode| mode.as_str().to_owned()),
        current_dsl_version: current_version.to_owned(),
        imported_dsl_version: state.file_version,
        error: state.error,
        hints: Vec::new(),
    }
}

/// A plugin in the form of Dify's dependencies.
fn dependency(plugin: &str) -> proto::Dependency {
    let value = json!({"marketplace_plugin_unique_identifier": plugin, "version": null});
    proto::Dependency {
        r#type: "marketplace".to_owned(),
        value: value.as_object().cloned().map(Object::from),
        current_identifier: None,
    }
}
