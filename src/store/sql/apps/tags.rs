//! The tags of a page of apps.

use std::collections::HashMap;

use crate::{
    domain::{
        Result,
        id::{AppId, WorkspaceId},
        page::MAX_LIMIT,
    },
    store::sql::{DbUuid, Sql},
};

/// Numbers of apps a statement is rendered for; a page of another size repeats its last app up to the next one.
pub(super) const SIZES: [usize; 4] = [1, 20, 60, MAX_LIMIT as usize];

impl Sql {
    /// Names of the apps' tags, in order: one statement, none without an app. 200 apps at most.
    pub async fn list_app_tags(&self, workspace: WorkspaceId, apps: &[AppId]) -> Result<HashMap<AppId, Vec<String>>> {
        let mut tags: HashMap<AppId, Vec<String>> = HashMap::new();
        let (Some(last), Some(size)) = (apps.last(), SIZES.iter().position(|size| *size >= apps.len())) else {
            return Ok(tags);
        };
        let padding = std::iter::repeat_n(last, SIZES[size] - apps.len());
        let mut values: Vec<_> = apps.iter().chain(padding).map(|app| self.id(app.0).into()).collect();
        values.push(self.id(workspace.0).into());
        for row in self.hot_rows(self.hot(&self.hot.apps.tags[size], values)).await? {
            let app = AppId(row.try_get_by::<DbUuid, _>("target_id")?.uuid());
            tags.entry(app).or_default().push(row.try_get_by("name")?);
        }
        for names in tags.values_mut() {
            names.sort_unstable();
            names.dedup();
        }
        Ok(tags)
    }
}
