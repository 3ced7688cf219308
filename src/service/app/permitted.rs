//! Apps that are open to external identities (contract section E4). An app that is not is `not_found`.

use super::{
    Apps, definition_memory::DefinitionMemory, detail_of, not_found::no_such_app, requested_version,
    runnable_definition,
};
use crate::{
    domain::{
        Result,
        app::{
            App, Definition,
            description::{AppDescription, DescriptionFields},
            mode::AppStatus,
            stored_app::{AppDetail, StoredApp},
            summary::{AppFilter, AppSummary},
        },
        caller::Caller,
        page::PageRequest,
    },
    memory::{MemoryPermit, Owner},
    ports::enterprise::ExternalAppQuery,
};

/// A page of permitted apps.
#[derive(Clone, Debug)]
pub struct PermittedApps {
    pub request: PageRequest,
    /// Number of permitted apps, as the enterprise service counts them.
    pub total: u64,
    pub has_more: bool,
    /// Apps that cannot be called are left out, so a page may be shorter than its limit.
    pub apps: Vec<AppSummary>,
}

impl Apps {
    /// A page of the apps of all workspaces that are open to external identities. One request and one statement. Fails
    /// with `invalid_param` and `permitted_external_apps_unavailable`.
    pub async fn list_permitted(
        &self,
        mode: Option<&str>,
        name: Option<&str>,
        request: PageRequest,
    ) -> Result<PermittedApps> {
        let filter = AppFilter::parse(mode, name, None)?;
        let mut page = PermittedApps { request, total: 0, has_more: false, apps: Vec::new() };
        if filter.matches_nothing() {
            return Ok(page);
        }
        let enterprise = self.access.enterprise().ok_or_else(no_such_app)?;
        let found = enterprise.list_external_apps(&ExternalAppQuery { page: request, filter: &filter }).await?;
        (page.total, page.has_more) = (found.total, found.has_more);
        page.apps = self.context.sql.list_apps_by_id(&found.apps).await?;
        Ok(page)
    }

    /// The description of a permitted app.
    pub async fn describe_permitted(
        &self,
        caller: &Caller,
        id: &str,
        fields: DescriptionFields,
    ) -> Result<AppDescription> {
        let (app, _memory) = self.permitted(caller, id, detail_of(fields)).await?;
        Ok(self.description(&app, fields))
    }

    /// A permitted app that can be run, with its published definition, or with the requested version of its graph.
    /// Fails like `find_runnable`.
    pub(in crate::service) async fn find_permitted_runnable(
        &self,
        caller: &Caller,
        id: &str,
        workflow_id: Option<&str>,
    ) -> Result<(App, Definition, MemoryPermit)> {
        let version = requested_version(workflow_id)?;
        let wanted = version.map_or(AppDetail::Run, AppDetail::Version);
        let (app, memory) = self.permitted(caller, id, wanted).await?;
        let (app, definition) = runnable_definition(app, version)?;
        Ok((app, definition, memory))
    }

    /// The app, and the memory of its definition.
    pub(super) async fn permitted(
        &self,
        caller: &Caller,
        id: &str,
        wanted: AppDetail,
    ) -> Result<(StoredApp, MemoryPermit)> {
        let id = id.parse().map_err(|_| no_such_app())?;
        let subject = &caller.token.subject;
        let owner = Owner::of(&(subject.email(), subject.wire_issuer()));
        let mut memory = DefinitionMemory::reserve(&self.memory, owner, wanted)?;
        let mut admit = |text: &str| memory.admit(text);
        let app = self.context.sql.find_app_for_external(id, wanted, &mut admit).await?;
        let app = app.filter(|app| app.status.is(AppStatus::Normal) && app.enable_api).ok_or_else(no_such_app)?;
        self.access.check(subject, &app).await?;
        Ok((app, memory.into_permit()))
    }
}
