//! Imports of apps as DSL files into a workspace. A file of a newer version waits for a confirmation.

mod pending;

use std::sync::Arc;

use url::Url;

use self::pending::{PendingImport, PendingImports};
use super::{context::ServiceContext, identity::Identity, uncancelled::run_uncancelled};
use crate::{
    domain::{
        Code, Error, Result,
        app::{
            file::{ICON_TYPES, ImportTarget, MAX_NAME},
            import::{AppOverrides, ImportState, ImportStatus},
        },
        caller::Caller,
        id::{AccountId, ImportId, WorkspaceId},
        key::KeyRing,
        member::{Actor, RequiredRole, workspace_not_found},
        text::visible_name,
    },
    memory::{MemoryKind, MemoryLedger, MemoryPermit, Owner},
    ports::{
        app_file_format::{AppFileFormat, AppFileReading, FileAge, ReadAppFile},
        lease_store::LeaseStore,
        pending_import_store::{PendingImportKey, PendingImportStore},
        url_fetcher::UrlFetcher,
    },
    telemetry::audit::workspace::{WorkspaceEvent, WorkspaceEventKind},
};

/// What imports use.
pub struct ImportDependencies {
    pub context: ServiceContext,
    pub identity: Identity,
    pub format: Arc<dyn AppFileFormat>,
    pub fetcher: Arc<dyn UrlFetcher>,
    pub pending: Arc<dyn PendingImportStore>,
    pub leases: Arc<dyn LeaseStore>,
    pub keys: Arc<KeyRing>,
    /// Has the memory of files while they are read.
    pub memory: MemoryLedger,
    /// Beside Dify, only Dify can write its apps.
    pub standalone: bool,
}

/// The import that a caller requests.
#[derive(Clone, Copy, Debug)]
pub struct RequestedImport<'a> {
    /// `yaml-content` or `yaml-url`.
    pub mode: &'a str,
    pub yaml_content: Option<&'a str>,
    pub yaml_url: Option<&'a str>,
    /// The app to overwrite.
    pub app_id: Option<&'a str>,
}

/// A file's text with its memory.
struct FileText {
    text: String,
    _memory: Option<MemoryPermit>,
}

#[derive(Clone)]
pub struct AppImports {
    dependencies: Arc<ImportDependencies>,
    pending: Arc<PendingImports>,
}

impl AppImports {
    pub fn new(dependencies: ImportDependencies) -> Self {
        let ImportDependencies { pending, leases, keys, .. } = &dependencies;
        let pending = PendingImports::new(Arc::clone(pending), Arc::clone(leases), Arc::clone(keys));
        Self { dependencies: Arc::new(dependencies), pending: Arc::new(pending) }
    }

    /// The version of the files that are written here.
    pub fn current_version(&self) -> &'static str {
        self.dependencies.format.version()
    }

    /// Imports a file, or keeps it until the import is confirmed. A file that cannot be imported is a state, not an
    /// error. Fails with `not_found`, `forbidden`, `invalid_param`, `rate_limited`, and `not_supported_here`.
    pub async fn import(
        &self,
        caller: &Caller,
        workspace: &str,
        requested: RequestedImport<'_>,
        overrides: AppOverrides,
    ) -> Result<ImportState> {
        let workspace = self.editable(caller, workspace).await?;
        let id = ImportId(self.dependencies.context.entropy.uuid_v4()?);
        let target = match requested.app_id {
            Some(app) => {
                ImportTarget::App(app.parse().map_err(|_| Error::invalid_param("body", "app_id", "must be a UUID"))?)
            }
            None => ImportTarget::New,
        };
        let overrides = checked_overrides(overrides)?;
        let text = match self.text(workspace, requested).await? {
            Ok(text) => text,
            Err(reason) => return Ok(ImportState::failed(id, reason)),
        };
        match self.read(caller, &text.text, false).await? {
            Ok(AppFileReading::Read(read)) => {
                self.write(caller, workspace, Import { id, read: *read, target, overrides }).await
            }
            Ok(AppFileReading::Newer(version)) => {
                let key = PendingImportKey { workspace, account: account_of(caller)?, id };
                self.pending.keep(key, PendingImport { text: text.text, target, overrides }).await?;
                let status = ImportStatus::Pending;
                Ok(ImportState { status, file_version: version.text, ..ImportState::failed(id, "") })
            }
            Err(reason) => Ok(ImportState::failed(id, reason)),
        }
    }

    /// Imports a file that waits. Of several confirmations at once, one imports it. Fails as [`Self::import`] does, and
    /// then the import waits again.
    pub async fn confirm(&self, caller: &Caller, workspace: &str, import: &str) -> Result<ImportState> {
        let workspace = self.editable(caller, workspace).await?;
        let Ok(id) = import.parse::<ImportId>() else {
            return Err(Error::not_found("There is no such import."));
        };
        let key = PendingImportKey { workspace, account: account_of(caller)?, id };
        let Some(pending) = self.pending.take(key).await? else {
            return Ok(ImportState::failed(id, "This import has expired, was confirmed before, or does not exist."));
        };
        // Nothing else has the file now, so it is imported or kept, also when the client disconnects.
        let (imports, caller) = (self.clone(), caller.clone());
        run_uncancelled(async move {
            let imported = imports.import_confirmed(&caller, workspace, id, &pending).await;
            if imported.is_err()
                && let Err(error) = imports.pending.keep(key, pending).await
            {
                tracing::warn!(error = &error as &dyn std::error::Error, "an import that failed does not wait again");
            }
            imported
        })
        .await
    }

    async fn import_confirmed(
        &self,
        caller: &Caller,
        workspace: WorkspaceId,
        id: ImportId,
        pending: &PendingImport,
    ) -> Result<ImportState> {
        let (target, overrides) = (pending.target, pending.overrides.clone());
        match self.read(caller, &pending.text, true).await? {
            Ok(AppFileReading::Read(read)) => {
                self.write(caller, workspace, Import { id, read: *read, target, overrides }).await
            }
            Ok(AppFileReading::Newer(_)) => Err(Error::internal("a confirmed file was not read")),
            Err(reason) => Ok(ImportState::failed(id, reason)),
        }
    }

    /// The workspace, if the caller may change its apps here.
    async fn editable(&self, caller: &Caller, workspace: &str) -> Result<WorkspaceId> {
        let membership = self.dependencies.identity.require_role(caller, workspace, RequiredRole::Editor).await?;
        if self.dependencies.standalone {
            Ok(membership.workspace_id)
        } else {
            Err(Error::new(Code::NotSupportedHere, "Only Dify itself can do this.")
                .with_hint("Import the app in Dify's studio."))
        }
    }

    /// The text of the file, or why there is none.
    async fn text(&self, workspace: WorkspaceId, requested: RequestedImport<'_>) -> Result<Result<FileText, String>> {
        let given = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
        match requested.mode {
            "yaml-content" => Ok(match given(requested.yaml_content) {
                Some(text) => Ok(FileText { text, _memory: None }),
                None => Err("yaml_content is required with the mode yaml-content.".to_owned()),
            }),
            "yaml-url" => match given(requested.yaml_url) {
                Some(url) => Ok(self.fetch(workspace, &url).await),
                None => Ok(Err("yaml_url is required with the mode yaml-url.".to_owned())),
            },
            _ => Err(Error::invalid_param("body", "mode", "must be yaml-content or yaml-url")),
        }
    }

    async fn fetch(&self, workspace: WorkspaceId, url: &str) -> Result<FileText, String> {
        let url = Url::parse(url).map_err(|_| "yaml_url is not a URL.".to_owned())?;
        let fetched = self.dependencies.fetcher.fetch(workspace, raw_file(url), self.dependencies.format.max_bytes());
        let body = fetched.await.map_err(|error| error.0)?;
        let text = str::from_utf8(&body.bytes).map_err(|_| "The file is not UTF-8 text.".to_owned())?;
        Ok(FileText { text: text.to_owned(), _memory: Some(body.memory) })
    }

    /// Reads a file outside of the threads that serve requests, within its share of memory.
    async fn read(&self, caller: &Caller, text: &str, accepts_newer: bool) -> Result<Result<AppFileReading, String>> {
        let format = Arc::clone(&self.dependencies.format);
        let owner = account_of(caller).map(|account| Owner::of(&account.0))?;
        let mut memory = self.dependencies.memory.permit(MemoryKind::Json, Some(owner));
        memory.resize(format.weight(text) + text.len())?;
        let text = text.to_owned();
        let reading = tokio::task::spawn_blocking(move || {
            let read = format.read(&text, accepts_newer);
            drop(memory);
            read
        });
        Ok(reading.await.map_err(Error::internal)?.map_err(|error| error.0))
    }

    async fn write(&self, caller: &Caller, workspace_id: WorkspaceId, import: Import) -> Result<ImportState> {
        let Import { id, read: ReadAppFile { mut app, version, has_warnings }, target, overrides } = import;
        overrides.apply(&mut app);
        let (by, now) = (Actor::Member(account_of(caller)?), self.dependencies.context.clock.now());
        let failed =
            |reason: &str| ImportState { file_version: version.text.clone(), ..ImportState::failed(id, reason) };
        let imported = match self.dependencies.context.sql.import_app_by(workspace_id, &app, target, by, now).await {
            Ok(imported) => imported,
            // The app to overwrite does not exist, or has another mode.
            Err(error) if matches!(error.code(), Code::NotFound | Code::InvalidParam) => {
                return Ok(failed(error.message()));
            }
            Err(error) => return Err(error),
        };
        let kind = WorkspaceEventKind::AppImported { app: imported.id, overwritten: imported.overwritten };
        WorkspaceEvent::of(&caller.token, workspace_id, kind).record();
        let is_clean = !has_warnings && version.age != FileAge::Older;
        Ok(ImportState {
            status: if is_clean { ImportStatus::Completed } else { ImportStatus::CompletedWithWarnings },
            app_id: Some(imported.id),
            app_mode: Some(app.mode),
            ..failed("")
        })
    }
}

/// An import that is ready to be written.
struct Import {
    id: ImportId,
    read: ReadAppFile,
    target: ImportTarget,
    overrides: AppOverrides,
}

/// The account of a token. The pipeline rejects external identities on these routes.
fn account_of(caller: &Caller) -> Result<AccountId> {
    caller.token.subject.account_id().ok_or_else(workspace_not_found)
}

/// A page of GitHub that shows a file, as the address of the file, as Dify reads it.
fn raw_file(mut url: Url) -> Url {
    let is_file = [".yml", ".yaml"].iter().any(|extension| url.path().ends_with(extension));
    if url.scheme() == "https" && url.host_str() == Some("github.com") && is_file {
        let path = url.path().replacen("/blob/", "/", 1);
        if url.set_host(Some("raw.githubusercontent.com")).is_ok() {
            url.set_path(&path);
        }
    }
    url
}

/// Checks the values that replace those of the file. Fails with `invalid_param`.
pub(super) fn checked_overrides(overrides: AppOverrides) -> Result<AppOverrides> {
    let name = overrides.name.map(|name| {
        let name = visible_name(&name).map_err(|error| Error::invalid_param("body", "name", error.to_string()))?;
        let is_valid = !name.is_empty() && name.chars().count() <= MAX_NAME;
        if is_valid { Ok(name) } else { Err(Error::invalid_param("body", "name", "must have 1 to 255 characters")) }
    });
    for (member, value) in [
        ("icon_type", &overrides.icon_type),
        ("icon", &overrides.icon),
        ("icon_background", &overrides.icon_background),
    ] {
        if value.as_ref().is_some_and(|value| value.chars().count() > MAX_NAME || value.contains('\0')) {
            return Err(Error::invalid_param("body", member, "must have at most 255 characters"));
        }
    }
    if overrides.icon_type.as_deref().is_some_and(|kind| !ICON_TYPES.contains(&kind)) {
        return Err(Error::invalid_param("body", "icon_type", "must be emoji, image or link"));
    }
    if overrides.description.as_ref().is_some_and(|text| text.contains('\0')) {
        return Err(Error::invalid_param("body", "description", "may not contain a NUL character"));
    }
    Ok(AppOverrides { name: name.transpose()?, ..overrides })
}
