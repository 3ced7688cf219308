//! Apps as DSL files, and the plugins that they need.

use std::sync::Arc;

use super::{app::Apps, context::ServiceContext, identity::Identity};
use crate::{
    domain::{
        Code, Error, Result,
        app::{
            App,
            file::{AppFile, ExportedVersion},
            import::plugins_of,
        },
        caller::Caller,
        member::RequiredRole,
    },
    memory::{MemoryKind, MemoryLedger, MemoryPermit, Owner, weight::json_weight},
    ports::app_file_format::AppFileFormat,
    telemetry::audit::workspace::{WorkspaceEvent, WorkspaceEventKind},
};

/// Copies of a definition that exist at once while it is written: parsed, as one document, and as text.
const COPIES: usize = 3;

#[derive(Clone)]
pub struct AppExports {
    pub(crate) context: ServiceContext,
    pub(crate) apps: Apps,
    pub(crate) identity: Identity,
    pub(crate) format: Arc<dyn AppFileFormat>,
    /// Has the memory of definitions while they are written.
    pub(crate) memory: MemoryLedger,
    /// Beside Dify, only Dify knows secrets and plugins.
    pub(crate) standalone: bool,
}

impl AppExports {
    /// The text of an app's file: of the version with this id, or of its draft, or of the published version where there
    /// is no draft. Fails with `not_found`, `forbidden`, `invalid_param`, `app_unavailable`, and with
    /// `not_supported_here` for secrets that Dify has encrypted.
    pub async fn export(
        &self,
        caller: &Caller,
        app_id: &str,
        version: Option<&str>,
        include_secrets: bool,
    ) -> Result<String> {
        let app = self.editable(caller, app_id).await?;
        if include_secrets && !self.standalone {
            return Err(Error::new(Code::NotSupportedHere, "Only Dify itself can do this.")
                .with_hint("Export the app without secrets, or in Dify's studio."));
        }
        let version = match version {
            Some(version) => ExportedVersion::Id(
                version.parse().map_err(|_| Error::invalid_param("query", "workflow_id", "must be a UUID"))?,
            ),
            None => ExportedVersion::Draft,
        };
        let (mut file, _memory) = self.read(&app, version).await?;
        if !include_secrets {
            file.clear_secrets();
            file.clear_credential_ids();
        }
        let text = self.format.write(&file)?;
        let kind = WorkspaceEventKind::AppExported { app: app.id, with_secrets: include_secrets };
        WorkspaceEvent::of(&caller.token, app.workspace_id, kind).record();
        Ok(text)
    }

    /// The plugins that the app uses and that are missing: all of them, because a standalone server has none. Fails
    /// with
    /// `not_found`, `forbidden`, and `not_supported_here` beside Dify, which knows the plugins.
    pub async fn missing_plugins(&self, caller: &Caller, app_id: &str) -> Result<Vec<String>> {
        let app = self.editable(caller, app_id).await?;
        if !self.standalone {
            return Err(Error::new(Code::NotSupportedHere, "Only Dify itself can do this.")
                .with_hint("Open the app in Dify's studio, which lists missing plugins."));
        }
        match self.read(&app, ExportedVersion::Draft).await {
            Ok((file, _memory)) => Ok(plugins_of(&file).into_iter().collect()),
            // An app without a definition uses none.
            Err(error) if error.code() == Code::AppUnavailable => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// The app, if the caller may use it and is an editor of its workspace.
    async fn editable(&self, caller: &Caller, app_id: &str) -> Result<App> {
        let app = self.apps.find_used(caller, app_id).await?;
        self.identity.require_role_in(caller, app.workspace_id, RequiredRole::Editor).await?;
        Ok(app)
    }

    /// The definition with its memory, which is reserved before each part is parsed.
    async fn read(&self, app: &App, version: ExportedVersion) -> Result<(AppFile, MemoryPermit)> {
        let mut memory = self.memory.permit(MemoryKind::Json, Some(Owner::of(&app.workspace_id.0)));
        let mut admit = |text: &str| {
            let bytes = memory.bytes() + json_weight(text.as_bytes()) + (COPIES - 1) * text.len();
            Ok::<_, Error>(memory.resize(bytes)?)
        };
        let file = self.context.sql.export_version(app.id, version, &mut admit).await?;
        Ok((file, memory))
    }
}
