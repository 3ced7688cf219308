//! Conversations and their messages.

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, ExprTrait, Order, QueryFilter, QuerySelect,
    sea_query::{Expr, Func, JoinType, OnConflict, Query},
};
use serde_json::{Map, Value};

use super::{
    entity::{conversation, conversation_variables as variables, message},
    sql_store::SqlStore,
    text::{json_without_nul, without_nul},
    timestamp::{naive_utc, to_micros},
};
use crate::domain::{
    app::AppMode,
    conversation::{Conversation, EndUser, Exchange, MessageRecord, NO_PARENT, NewConversation, RunRecord},
    error::Result,
    id::ConversationId,
};

/// Origin of a conversation. Dify fails to read values it does not know, so `openapi` is not one.
const FROM_SOURCE: &str = "api";
const INVOKE_FROM: &str = "service-api";
/// `conversations.status` of a conversation that can be continued.
const NORMAL: &str = "normal";

impl SqlStore {
    /// A conversation of this caller with this app, with its last `exchanges`, whose texts are cut to `characters`
    /// each. `None` for a conversation of another caller or app, and for a deleted one. Two statements.
    pub async fn find_conversation(
        &self,
        id: ConversationId,
        owner: &EndUser,
        exchanges: u16,
        characters: i32,
    ) -> Result<Option<Conversation>> {
        let select = Query::select()
            .column((conversation::Entity, conversation::Column::Introduction))
            .column((conversation::Entity, conversation::Column::DialogueCount))
            .column((variables::Entity, variables::Column::Variables))
            .from(conversation::Entity)
            .join(
                JoinType::LeftJoin,
                variables::Entity,
                Expr::col((variables::Entity, variables::Column::ConversationId))
                    .equals((conversation::Entity, conversation::Column::Id)),
            )
            .and_where(Expr::col((conversation::Entity, conversation::Column::Id)).eq(self.id(id.0)))
            .and_where(conversation::Column::AppId.eq(self.id(owner.app_id.0)))
            .and_where(conversation::Column::FromEndUserId.eq(self.id(owner.id().0)))
            .and_where(conversation::Column::Status.eq(NORMAL))
            .and_where(conversation::Column::IsDeleted.eq(false))
            .take();
        let Some(row) = self.query_one(&select).await? else { return Ok(None) };
        let variables: Option<String> = row.try_get_by("variables")?;
        let count: i32 = row.try_get_by("dialogue_count")?;
        Ok(Some(Conversation {
            introduction: row.try_get_by::<Option<String>, _>("introduction")?.unwrap_or_default(),
            dialogue_count: u32::try_from(count).unwrap_or_default(),
            // Only this service writes the column. Content that is not JSON counts as empty.
            variables: variables.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default(),
            exchanges: self.list_exchanges(id, exchanges, characters).await?,
        }))
    }

    /// The last exchanges, oldest first. The database cuts the texts, so that memory stays bounded.
    async fn list_exchanges(&self, id: ConversationId, limit: u16, characters: i32) -> Result<Vec<Exchange>> {
        let truncated = |column: message::Column| {
            let (from, length) = (Expr::val(1), Expr::val(characters));
            Func::cust("SUBSTR").arg(Expr::col(column)).arg(from).arg(length)
        };
        let select = Query::select()
            .expr_as(truncated(message::Column::Query), "truncated_query")
            .expr_as(truncated(message::Column::Answer), "truncated_answer")
            .from(message::Entity)
            .and_where(message::Column::ConversationId.eq(self.id(id.0)))
            .order_by(message::Column::CreatedAt, Order::Desc)
            .order_by(message::Column::Id, Order::Desc)
            .limit(u64::from(limit))
            .take();
        let rows = self.query_all(&select).await?;
        let exchange = |row: &sea_orm::QueryResult| {
            Ok(Exchange { query: row.try_get_by("truncated_query")?, answer: row.try_get_by("truncated_answer")? })
        };
        rows.iter().rev().map(exchange).collect::<Result<_, DbErr>>().map_err(Into::into)
    }

    /// Inserts the message's conversation, or counts one more dialogue in it. Returns `false` when the conversation was
    /// deleted. Runs of one conversation that end at the same time wait for each other here.
    pub(super) async fn write_conversation(
        &self,
        connection: &impl ConnectionTrait,
        run: &RunRecord,
        message: &MessageRecord,
    ) -> Result<bool, DbErr> {
        if let Some(new) = &message.begins {
            return self.insert_conversation(connection, run, message, new).await.map(|()| true);
        }
        conversation::Entity::update_many()
            .col_expr(conversation::Column::UpdatedAt, Expr::value(naive_utc(run.ended_at)))
            .col_expr(conversation::Column::DialogueCount, Expr::col(conversation::Column::DialogueCount).add(1))
            .filter(conversation::Column::Id.eq(self.id(message.conversation_id.0)))
            .filter(conversation::Column::IsDeleted.eq(false))
            .exec(connection)
            .await
            .map(|done| done.rows_affected > 0)
    }

    async fn insert_conversation(
        &self,
        connection: &impl ConnectionTrait,
        run: &RunRecord,
        message: &MessageRecord,
        new: &NewConversation,
    ) -> Result<(), DbErr> {
        let row = conversation::ActiveModel {
            id: Set(self.id(message.conversation_id.0)),
            app_id: Set(self.id(run.end_user.app_id.0)),
            app_model_config_id: Set(new.model_config_id.map(|id| self.id(id.0))),
            model_provider: Set(message.model.as_ref().map(|model| model.provider.clone())),
            override_model_configs: Set(None),
            model_id: Set(message.model.as_ref().map(|model| model.name.clone())),
            mode: Set(run.mode.as_str().to_owned()),
            name: Set(without_nul(&new.name)),
            summary: Set(None),
            inputs: Set(inputs(run)),
            introduction: Set(Some(without_nul(&new.introduction))),
            system_instruction: Set(Some(String::new())),
            system_instruction_tokens: Set(0),
            status: Set(NORMAL.to_owned()),
            from_source: Set(FROM_SOURCE.to_owned()),
            from_end_user_id: Set(Some(self.id(run.end_user.id().0))),
            from_account_id: Set(None),
            read_at: Set(None),
            read_account_id: Set(None),
            created_at: Set(naive_utc(run.began_at)),
            updated_at: Set(naive_utc(run.ended_at)),
            is_deleted: Set(false),
            invoke_from: Set(Some(INVOKE_FROM.to_owned())),
            dialogue_count: Set(1),
        };
        conversation::Entity::insert(row).exec_without_returning(connection).await.map(|_| ())
    }

    pub(super) async fn insert_message(
        &self,
        connection: &impl ConnectionTrait,
        run: &RunRecord,
        message: &MessageRecord,
    ) -> Result<(), DbErr> {
        let row = message::ActiveModel {
            id: Set(self.id(message.id.0)),
            app_id: Set(self.id(run.end_user.app_id.0)),
            model_provider: Set(message.model.as_ref().map(|model| model.provider.clone())),
            model_id: Set(message.model.as_ref().map(|model| model.name.clone())),
            override_model_configs: Set(None),
            conversation_id: Set(self.id(message.conversation_id.0)),
            inputs: Set(inputs(run)),
            query: Set(without_nul(&message.query)),
            message: Set(json_without_nul(&message.prompt)),
            message_tokens: Set(i32::try_from(message.prompt_tokens).unwrap_or(i32::MAX)),
            message_unit_price: Set(0.0),
            answer: Set(without_nul(&message.answer)),
            answer_tokens: Set(i32::try_from(message.completion_tokens).unwrap_or(i32::MAX)),
            answer_unit_price: Set(0.0),
            provider_response_latency: Set(message.latency.as_secs_f64()),
            total_price: Set(Some(0.0)),
            currency: Set("USD".to_owned()),
            from_source: Set(FROM_SOURCE.to_owned()),
            from_end_user_id: Set(Some(self.id(run.end_user.id().0))),
            from_account_id: Set(None),
            created_at: Set(naive_utc(run.began_at)),
            updated_at: Set(naive_utc(run.ended_at)),
            agent_based: Set(run.mode == AppMode::AgentChat),
            message_price_unit: Set(0.0),
            answer_price_unit: Set(0.0),
            workflow_run_id: Set(run.workflow_run.as_ref().map(|run| self.id(run.id.0))),
            status: Set(run.ending.message_status().to_owned()),
            error: Set(run.ending.error().map(without_nul)),
            message_metadata: Set(Some(message.metadata.to_string())),
            invoke_from: Set(Some(INVOKE_FROM.to_owned())),
            parent_message_id: Set(Some(self.id(NO_PARENT))),
            app_mode: Set(Some(run.mode.as_str().to_owned())),
        };
        message::Entity::insert(row).exec_without_returning(connection).await.map(|_| ())
    }

    /// Writes the variables that the message's run has changed into those that the conversation holds.
    pub(super) async fn write_variables(
        &self,
        connection: &impl ConnectionTrait,
        message: &MessageRecord,
        now: DateTime<Utc>,
    ) -> Result<(), DbErr> {
        let id = self.id(message.conversation_id.0);
        let mut merged = Map::new();
        if message.begins.is_none() {
            // The lock makes MySQL read the current row instead of the transaction's snapshot.
            let mut select = variables::Entity::find_by_id(id);
            QuerySelect::query(&mut select).lock(self.row_lock());
            let text = select.one(connection).await?.map(|row| row.variables);
            merged = text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        }
        merged.extend(message.variables.iter().map(|(name, value)| (name.clone(), value.clone())));
        let row = variables::ActiveModel {
            conversation_id: Set(id),
            variables: Set(serde_json::to_string(&merged).map_err(|error| DbErr::Json(error.to_string()))?),
            updated_at: Set(to_micros(now)),
        };
        let on_conflict = OnConflict::column(variables::Column::ConversationId)
            .update_columns([variables::Column::Variables, variables::Column::UpdatedAt])
            .to_owned();
        variables::Entity::insert(row).on_conflict(on_conflict).exec_without_returning(connection).await.map(|_| ())
    }
}

fn inputs(run: &RunRecord) -> Value {
    run.inputs.iter().map(|(name, value)| (without_nul(name), json_without_nul(value))).collect::<Map<_, _>>().into()
}
