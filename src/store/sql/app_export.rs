//! Apps, as an operator lists and exports them on a standalone server.

use sea_orm::{
    ColumnTrait, DbErr, Order, QueryResult,
    sea_query::{ExprTrait as _, Query, SimpleExpr},
};
use serde_json::{Map, Value};

use super::{
    apps::AdmitText,
    columns::read_word,
    db_uuid::DbUuid,
    drafts::DRAFT,
    entity::{app, app_model_config as config, workflow},
    not_found::app_not_found,
    sql_store::SqlStore,
};
use crate::domain::{
    app::{
        AppMode,
        file::{AppBody, AppFile, CONFIG_MEMBERS, ExportedVersion, GraphBody, ListedApp, MemberType},
    },
    error::{Code, Error, Result},
    id::{AppId, WorkspaceId},
};

impl SqlStore {
    /// The apps of a workspace, by name.
    pub async fn list_workspace_apps(&self, workspace: WorkspaceId) -> Result<Vec<ListedApp>> {
        let select = Query::select()
            .columns(LISTED_COLUMNS)
            .from(app::Entity)
            .and_where(app::Column::TenantId.eq(self.id(workspace.0)))
            .order_by(app::Column::Name, Order::Asc)
            .order_by(app::Column::Id, Order::Asc)
            .take();
        Ok(self.query_all(&select).await?.iter().map(read_listed).collect::<Result<_, _>>()?)
    }

    /// Apps of any workspace with exactly this name, two at most.
    pub async fn find_apps_of_name(&self, name: &str) -> Result<Vec<ListedApp>> {
        let select = Query::select()
            .columns(LISTED_COLUMNS)
            .from(app::Entity)
            .and_where(self.is_exactly(app::Column::Name, name))
            .limit(2)
            .take();
        Ok(self.query_all(&select).await?.iter().map(read_listed).collect::<Result<_, _>>()?)
    }

    /// An app with its published definition, whatever its size. Fails as [`Self::export_version`] does.
    pub async fn export_app(&self, id: AppId) -> Result<AppFile> {
        self.export_version(id, ExportedVersion::Published, &mut |_| Ok(())).await
    }

    /// An app with one version of its definition. `admit` is called with each stored JSON text before it is parsed.
    /// Fails with `not_found`, also for a version that the app does not have, and with `app_unavailable` when there is
    /// nothing to export or the mode is not one of [`AppMode`].
    pub async fn export_version(
        &self,
        id: AppId,
        version: ExportedVersion,
        admit: &mut AdmitText<'_>,
    ) -> Result<AppFile> {
        let select = Query::select()
            .columns([
                app::Column::Name,
                app::Column::Mode,
                app::Column::Description,
                app::Column::Icon,
                app::Column::IconType,
                app::Column::IconBackground,
                app::Column::UseIconAsAnswerIcon,
                app::Column::AppModelConfigId,
                app::Column::WorkflowId,
            ])
            .from(app::Entity)
            .and_where(app::Column::Id.eq(self.id(id.0)))
            .take();
        let row = self.query_one(&select).await?.ok_or_else(app_not_found)?;
        let mode = read_word::<AppMode>(&row, "mode")?
            .known()
            .ok_or_else(|| Error::new(Code::AppUnavailable, "Apps of this mode cannot be exported."))?;
        let of_app = workflow::Column::AppId.eq(self.id(id.0));
        let published = row.try_get_by::<Option<DbUuid>, _>("workflow_id")?;
        let published = published.map(|graph| workflow::Column::Id.eq(graph));
        let body = match (mode.has_graph(), version) {
            (true, ExportedVersion::Id(version)) => {
                let is_version = of_app.and(workflow::Column::Id.eq(self.id(version.0)));
                Some(self.export_graph(is_version, admit).await?.ok_or_else(version_not_found)?)
            }
            (false, ExportedVersion::Id(_)) => return Err(version_not_found()),
            (true, ExportedVersion::Published) => self.export_graph_if(published, admit).await?,
            (true, ExportedVersion::Draft) => {
                let is_draft = of_app.and(workflow::Column::Version.eq(DRAFT));
                match self.export_graph(is_draft, admit).await? {
                    Some(draft) => Some(draft),
                    None => self.export_graph_if(published, admit).await?,
                }
            }
            (false, _) => match row.try_get_by::<Option<DbUuid>, _>("app_model_config_id")? {
                Some(config) => self.export_config(config, admit).await?,
                None => None,
            },
        };
        Ok(AppFile {
            name: row.try_get_by("name")?,
            mode,
            description: row.try_get_by::<Option<String>, _>("description")?.unwrap_or_default(),
            icon: row.try_get_by("icon")?,
            icon_type: row.try_get_by("icon_type")?,
            icon_background: row.try_get_by("icon_background")?,
            use_icon_as_answer_icon: row.try_get_by("use_icon_as_answer_icon")?,
            body: body.ok_or_else(|| Error::new(Code::AppUnavailable, "This app has no published version."))?,
        })
    }

    async fn export_config(&self, id: DbUuid, admit: &mut AdmitText<'_>) -> Result<Option<AppBody>> {
        let mut select = Query::select();
        select.from(config::Entity).and_where(config::Column::Id.eq(id));
        for (name, _) in CONFIG_MEMBERS {
            select.column(name);
        }
        let Some(row) = self.query_one(&select).await? else { return Ok(None) };
        let mut members = Map::new();
        for (name, shape) in CONFIG_MEMBERS {
            let Some(text) = row.try_get_by::<Option<String>, _>(name)? else { continue };
            admit(&text)?;
            let value =
                if shape == MemberType::Text { Some(Value::String(text)) } else { serde_json::from_str(&text).ok() };
            members.extend(value.filter(|value| !value.is_null()).map(|value| (name.to_owned(), value)));
        }
        Ok(Some(AppBody::Model(members)))
    }

    async fn export_graph_if(
        &self,
        condition: Option<SimpleExpr>,
        admit: &mut AdmitText<'_>,
    ) -> Result<Option<AppBody>> {
        match condition {
            Some(condition) => self.export_graph(condition, admit).await,
            None => Ok(None),
        }
    }

    async fn export_graph(&self, condition: SimpleExpr, admit: &mut AdmitText<'_>) -> Result<Option<AppBody>> {
        let columns = [
            workflow::Column::Graph,
            workflow::Column::Features,
            workflow::Column::EnvironmentVariables,
            workflow::Column::ConversationVariables,
        ];
        let select = Query::select().columns(columns).from(workflow::Entity).and_where(condition).limit(1).take();
        let Some(row) = self.query_one(&select).await? else { return Ok(None) };
        let mut json = |column: &str| {
            let text: Option<String> = row.try_get_by(column)?;
            // Dify leaves columns without a value null or empty.
            let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(Value::Null) };
            admit(&text)?;
            serde_json::from_str::<Value>(&text).map_err(Error::internal)
        };
        let (graph, features) = (json("graph")?, json("features")?);
        let mut variables = |column: &str| {
            let mut variables = json(column)?;
            self.open_secrets(&mut variables)?;
            Ok::<_, Error>(match variables {
                Value::Object(by_name) => by_name.into_iter().map(|(_, variable)| variable).collect(),
                Value::Array(list) => list,
                _ => Vec::new(),
            })
        };
        Ok(Some(AppBody::Graph(GraphBody {
            graph,
            features,
            environment_variables: variables("environment_variables")?,
            conversation_variables: variables("conversation_variables")?,
        })))
    }
}

fn version_not_found() -> Error {
    Error::not_found("This app has no such version.")
}

const LISTED_COLUMNS: [app::Column; 5] =
    [app::Column::Id, app::Column::Name, app::Column::Mode, app::Column::WorkflowId, app::Column::AppModelConfigId];

fn read_listed(row: &QueryResult) -> Result<ListedApp, DbErr> {
    let graph = row.try_get_by::<Option<DbUuid>, _>("workflow_id")?;
    let config = row.try_get_by::<Option<DbUuid>, _>("app_model_config_id")?;
    Ok(ListedApp {
        id: AppId(row.try_get_by::<DbUuid, _>("id")?.uuid()),
        name: row.try_get_by("name")?,
        mode: read_word(row, "mode")?,
        published: graph.is_some() || config.is_some(),
    })
}
