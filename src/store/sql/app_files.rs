//! Apps as an operator brings them in and takes them out on a standalone server: imported apps are published at once.

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, Order, QueryFilter, QueryResult,
    sea_query::{Expr, Query},
};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{
    DbUuid, Sql,
    entity::{app, app_model_config as config, tenant, tenant_account_join as join, workflow},
    error::Failure,
    limited, naive,
};
use crate::domain::{
    Code, Error, Result,
    app::{
        AppMode,
        file::{AppBody, AppFile, CONFIG_MEMBERS, Imported, ListedApp, Shape, Target},
    },
    id::{AppId, WorkspaceId},
};

impl Sql {
    /// Puts an app into a workspace and publishes it, whole or not at all: one transaction, one import of a workspace at a
    /// time. Runs under way keep the version that they began with.
    ///
    /// Fails with `not_found` when the workspace or the app is not there, and with `invalid_param` when it cannot be told
    /// which app is meant, or when that one has another mode.
    pub async fn import_app(
        &self,
        workspace: WorkspaceId,
        file: &AppFile,
        target: Target,
        now: DateTime<Utc>,
    ) -> Result<Imported> {
        limited(self.try_import_app(workspace, file, target, now)).await
    }

    async fn try_import_app(
        &self,
        workspace: WorkspaceId,
        file: &AppFile,
        target: Target,
        now: DateTime<Utc>,
    ) -> Result<Imported, Failure> {
        let transaction = self.begin().await?;
        let tenant = self.id(workspace.0);
        let owner = self.lock_workspace(&transaction, tenant).await?;
        let existing = self.app_meant(&transaction, tenant, file, target).await?;
        let id = existing.unwrap_or_else(|| self.id(Uuid::new_v4()));
        let (config, graph) = match &file.body {
            AppBody::Model(members) => (Some(self.add_config(&transaction, id, members, owner, now).await?), None),
            AppBody::Graph { .. } => (None, Some(self.add_graph(&transaction, tenant, id, file, owner, now).await?)),
        };
        if existing.is_some() {
            let done = app::Entity::update_many()
                .col_expr(app::Column::Name, Expr::value(&file.name))
                .col_expr(app::Column::Description, Expr::value(&file.description))
                .col_expr(app::Column::Icon, Expr::value(file.icon.clone()))
                .col_expr(app::Column::IconType, Expr::value(file.icon_type.clone()))
                .col_expr(app::Column::IconBackground, Expr::value(file.icon_background.clone()))
                .col_expr(app::Column::UseIconAsAnswerIcon, Expr::value(file.use_icon_as_answer_icon))
                .col_expr(app::Column::AppModelConfigId, Expr::value(config))
                .col_expr(app::Column::WorkflowId, Expr::value(graph))
                .col_expr(app::Column::UpdatedBy, Expr::value(Some(owner)))
                .col_expr(app::Column::UpdatedAt, Expr::value(naive(now)))
                .filter(app::Column::Id.eq(id))
                .exec(&transaction)
                .await?;
            if done.rows_affected != 1 {
                return Err(gone().into());
            }
        } else {
            let row = app::ActiveModel {
                id: Set(id),
                tenant_id: Set(tenant),
                name: Set(file.name.clone()),
                mode: Set(file.mode.as_str().to_owned()),
                icon: Set(file.icon.clone()),
                icon_background: Set(file.icon_background.clone()),
                icon_type: Set(file.icon_type.clone()),
                use_icon_as_answer_icon: Set(file.use_icon_as_answer_icon),
                description: Set(file.description.clone()),
                app_model_config_id: Set(config),
                workflow_id: Set(graph),
                status: Set("normal".to_owned()),
                enable_site: Set(true),
                enable_api: Set(true),
                created_by: Set(Some(owner)),
                updated_by: Set(Some(owner)),
                created_at: Set(naive(now)),
                updated_at: Set(naive(now)),
                ..Default::default()
            };
            app::Entity::insert(row).exec_without_returning(&transaction).await?;
        }
        transaction.commit().await?;
        Ok(Imported { id: AppId(id.uuid()), overwritten: existing.is_some() })
    }

    /// Locks the workspace's row, so that two imports of one name do not make two apps, and tells its owner.
    async fn lock_workspace(&self, transaction: &DatabaseTransaction, tenant: DbUuid) -> Result<DbUuid, Failure> {
        let lock = Query::select()
            .column(tenant::Column::Id)
            .from(tenant::Entity)
            .and_where(tenant::Column::Id.eq(tenant))
            .lock(self.row_lock())
            .take();
        let owner = Query::select()
            .column(join::Column::AccountId)
            .from(join::Entity)
            .and_where(join::Column::TenantId.eq(tenant))
            .and_where(join::Column::Role.eq("owner"))
            .order_by(join::Column::CreatedAt, Order::Asc)
            .limit(1)
            .take();
        if transaction.query_one(&lock).await?.is_none() {
            return Err(Error::not_found("There is no such workspace.").into());
        }
        match transaction.query_one(&owner).await? {
            Some(row) => Ok(row.try_get_by("account_id")?),
            None => Err(Error::internal("the workspace has no owner").into()),
        }
    }

    /// The app that is overwritten, if any.
    async fn app_meant(
        &self,
        transaction: &DatabaseTransaction,
        tenant: DbUuid,
        file: &AppFile,
        target: Target,
    ) -> Result<Option<DbUuid>, Failure> {
        let is_it = match target {
            Target::New => return Ok(None),
            Target::Named => self.is_exactly(app::Column::Name, &file.name),
            Target::App(id) => app::Column::Id.eq(self.id(id.0)),
        };
        let select = Query::select()
            .columns([app::Column::Id, app::Column::Mode])
            .from(app::Entity)
            .and_where(app::Column::TenantId.eq(tenant))
            .and_where(is_it)
            .limit(2)
            .take();
        let found = transaction.query_all(&select).await?;
        let row = match (found.as_slice(), target) {
            ([], Target::App(_)) => return Err(gone().into()),
            ([], _) => return Ok(None),
            ([row], _) => row,
            _ => {
                return Err(Error::new(Code::InvalidParam, "Several apps in this workspace have this name.")
                    .hint("Choose one with --app ID, or create another with --new.")
                    .into());
            }
        };
        let mode: String = row.try_get_by("mode")?;
        if mode != file.mode.as_str() {
            let (old, new) = (mode, file.mode.as_str());
            return Err(Error::new(
                Code::InvalidParam,
                format!("The existing app's mode is {old}; the file's is {new}."),
            )
            .hint("Rename one of them, or create another with --new.")
            .into());
        }
        Ok(Some(row.try_get_by("id")?))
    }

    async fn add_config(
        &self,
        transaction: &DatabaseTransaction,
        app: DbUuid,
        members: &Map<String, Value>,
        owner: DbUuid,
        now: DateTime<Utc>,
    ) -> Result<DbUuid, DbErr> {
        let text = |name: &str| {
            let value = members.get(name).filter(|value| !value.is_null())?;
            Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        };
        let id = self.id(Uuid::new_v4());
        let row = config::ActiveModel {
            id: Set(id),
            app_id: Set(app),
            opening_statement: Set(text("opening_statement")),
            suggested_questions: Set(text("suggested_questions")),
            suggested_questions_after_answer: Set(text("suggested_questions_after_answer")),
            speech_to_text: Set(text("speech_to_text")),
            text_to_speech: Set(text("text_to_speech")),
            retriever_resource: Set(text("retriever_resource")),
            more_like_this: Set(text("more_like_this")),
            sensitive_word_avoidance: Set(text("sensitive_word_avoidance")),
            external_data_tools: Set(text("external_data_tools")),
            model: Set(text("model")),
            user_input_form: Set(text("user_input_form")),
            dataset_query_variable: Set(text("dataset_query_variable")),
            pre_prompt: Set(text("pre_prompt")),
            agent_mode: Set(text("agent_mode")),
            prompt_type: Set(text("prompt_type").unwrap_or_else(|| "simple".to_owned())),
            chat_prompt_config: Set(text("chat_prompt_config")),
            completion_prompt_config: Set(text("completion_prompt_config")),
            dataset_configs: Set(text("dataset_configs")),
            file_upload: Set(text("file_upload")),
            created_by: Set(Some(owner)),
            updated_by: Set(Some(owner)),
            created_at: Set(naive(now)),
            updated_at: Set(naive(now)),
            ..Default::default()
        };
        config::Entity::insert(row).exec_without_returning(transaction).await?;
        Ok(id)
    }

    async fn add_graph(
        &self,
        transaction: &DatabaseTransaction,
        tenant: DbUuid,
        app: DbUuid,
        file: &AppFile,
        owner: DbUuid,
        now: DateTime<Utc>,
    ) -> Result<DbUuid, DbErr> {
        let AppBody::Graph { graph, features, environment_variables, conversation_variables } = &file.body else {
            return Err(DbErr::Custom("an app without a graph has none to add".to_owned()));
        };
        let id = self.id(Uuid::new_v4());
        let row = workflow::ActiveModel {
            id: Set(id),
            tenant_id: Set(tenant),
            app_id: Set(app),
            r#type: Set(if file.mode == AppMode::Workflow { "workflow" } else { "chat" }.to_owned()),
            // What Dify calls a published version: the moment, as Python prints it.
            version: Set(naive(now).format("%Y-%m-%d %H:%M:%S%.6f").to_string()),
            graph: Set(graph.to_string()),
            features: Set(features.to_string()),
            environment_variables: Set(by_name(environment_variables)),
            conversation_variables: Set(by_name(conversation_variables)),
            rag_pipeline_variables: Set("{}".to_owned()),
            marked_name: Set(String::new()),
            marked_comment: Set(String::new()),
            created_by: Set(owner),
            updated_by: Set(Some(owner)),
            created_at: Set(naive(now)),
            updated_at: Set(naive(now)),
        };
        workflow::Entity::insert(row).exec_without_returning(transaction).await?;
        Ok(id)
    }

    /// The apps of a workspace, by name.
    pub async fn list_workspace_apps(&self, workspace: WorkspaceId) -> Result<Vec<ListedApp>> {
        let select = Query::select()
            .columns(LISTED)
            .from(app::Entity)
            .and_where(app::Column::TenantId.eq(self.id(workspace.0)))
            .order_by(app::Column::Name, Order::Asc)
            .order_by(app::Column::Id, Order::Asc)
            .take();
        Ok(self.rows(&select).await?.iter().map(read_listed).collect::<Result<_, _>>()?)
    }

    /// Apps of any workspace of exactly this name, two at most.
    pub async fn find_apps_of_name(&self, name: &str) -> Result<Vec<ListedApp>> {
        let select = Query::select()
            .columns(LISTED)
            .from(app::Entity)
            .and_where(self.is_exactly(app::Column::Name, name))
            .limit(2)
            .take();
        Ok(self.rows(&select).await?.iter().map(read_listed).collect::<Result<_, _>>()?)
    }

    /// An app with what it has published. Fails with `not_found`, and with `app_unavailable` where there is nothing to take
    /// out: nothing published, or a mode that is not Dify's own five.
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
        let row = self.row(&select).await?.ok_or_else(gone)?;
        let mode = AppMode::parse(&row.try_get_by::<String, _>("mode")?)
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
        let Some(row) = self.row(&select).await? else { return Ok(None) };
        let mut members = Map::new();
        for (name, shape) in CONFIG_MEMBERS {
            let Some(text) = row.try_get_by::<Option<String>, _>(name)? else { continue };
            let value = if shape == Shape::Text { Some(Value::String(text)) } else { serde_json::from_str(&text).ok() };
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
        let Some(row) = self.row(&select).await? else { return Ok(None) };
        let json = |column: &str| {
            let text: String = row.try_get_by(column)?;
            serde_json::from_str::<Value>(&text).map_err(Error::internal)
        };
        let variables = |column: &str| {
            Ok::<_, Error>(match json(column)? {
                Value::Object(by_name) => by_name.into_iter().map(|(_, variable)| variable).collect(),
                Value::Array(list) => list,
                _ => Vec::new(),
            })
        };
        Ok(Some(AppBody::Graph {
            graph: json("graph")?,
            features: json("features")?,
            environment_variables: variables("environment_variables")?,
            conversation_variables: variables("conversation_variables")?,
        }))
    }
}

const LISTED: [app::Column; 5] =
    [app::Column::Id, app::Column::Name, app::Column::Mode, app::Column::WorkflowId, app::Column::AppModelConfigId];

fn read_listed(row: &QueryResult) -> Result<ListedApp, DbErr> {
    let graph = row.try_get_by::<Option<DbUuid>, _>("workflow_id")?;
    let config = row.try_get_by::<Option<DbUuid>, _>("app_model_config_id")?;
    Ok(ListedApp {
        id: AppId(row.try_get_by::<DbUuid, _>("id")?.uuid()),
        name: row.try_get_by("name")?,
        mode: row.try_get_by("mode")?,
        published: graph.is_some() || config.is_some(),
    })
}

/// Dify keeps variables in an object, each under its name.
fn by_name(variables: &[Value]) -> String {
    let named = |variable: &Value| Some((variable["name"].as_str()?.to_owned(), variable.clone()));
    Value::Object(variables.iter().filter_map(named).collect()).to_string()
}

fn gone() -> Error {
    Error::not_found("There is no such app.")
}
