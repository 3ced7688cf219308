//! Apps, as an operator lists and exports them on a standalone server.

use sea_orm::{ColumnTrait, DbErr, Order, QueryResult, sea_query::Query};
use serde_json::{Map, Value};

use super::{
    columns::read_word,
    db_uuid::DbUuid,
    entity::{app, app_model_config as config, workflow},
    not_found::app_not_found,
    sql_store::SqlStore,
};
use crate::domain::{
    app::{
        AppMode,
        file::{AppBody, AppFile, CONFIG_MEMBERS, GraphBody, ListedApp, MemberType},
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

    /// An app with its published definition. Fails with `not_found`, and with `app_unavailable` when nothing is
    /// published or the mode is not one of [`AppMode`].
    pub async fn export_app(&self, id: AppId) -> Result<AppFile> {
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
        let body = if mode.has_graph() {
            match row.try_get_by::<Option<DbUuid>, _>("workflow_id")? {
                Some(graph) => self.export_graph(graph).await?,
                None => None,
            }
        } else {
            match row.try_get_by::<Option<DbUuid>, _>("app_model_config_id")? {
                Some(config) => self.export_config(config).await?,
                None => None,
            }
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

    async fn export_config(&self, id: DbUuid) -> Result<Option<AppBody>> {
        let mut select = Query::select();
        select.from(config::Entity).and_where(config::Column::Id.eq(id));
        for (name, _) in CONFIG_MEMBERS {
            select.column(name);
        }
        let Some(row) = self.query_one(&select).await? else { return Ok(None) };
        let mut members = Map::new();
        for (name, shape) in CONFIG_MEMBERS {
            let Some(text) = row.try_get_by::<Option<String>, _>(name)? else { continue };
            let value =
                if shape == MemberType::Text { Some(Value::String(text)) } else { serde_json::from_str(&text).ok() };
            members.extend(value.filter(|value| !value.is_null()).map(|value| (name.to_owned(), value)));
        }
        Ok(Some(AppBody::Model(members)))
    }

    async fn export_graph(&self, id: DbUuid) -> Result<Option<AppBody>> {
        let columns = [
            workflow::Column::Graph,
            workflow::Column::Features,
            workflow::Column::EnvironmentVariables,
            workflow::Column::ConversationVariables,
        ];
        let select =
            Query::select().columns(columns).from(workflow::Entity).and_where(workflow::Column::Id.eq(id)).take();
        let Some(row) = self.query_one(&select).await? else { return Ok(None) };
        let json = |column: &str| {
            let text: String = row.try_get_by(column)?;
            serde_json::from_str::<Value>(&text).map_err(Error::internal)
        };
        let variables = |column: &str| {
            let mut variables = json(column)?;
            self.open_secrets(&mut variables)?;
            Ok::<_, Error>(match variables {
                Value::Object(by_name) => by_name.into_iter().map(|(_, variable)| variable).collect(),
                Value::Array(list) => list,
                _ => Vec::new(),
            })
        };
        Ok(Some(AppBody::Graph(GraphBody {
            graph: json("graph")?,
            features: json("features")?,
            environment_variables: variables("environment_variables")?,
            conversation_variables: variables("conversation_variables")?,
        })))
    }
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
