//! Completed runs.
//!
//! A run is written once, when it has ended and before its last event is sent: a caller who has received that event
//! finds the conversation in the database. Nothing is written earlier, so that the first event does not wait for the
//! database. A crash loses the runs in progress, whose streams it breaks off as well.

use chrono::NaiveDateTime;
use sea_orm::{
    ActiveValue::Set,
    ConnectionTrait, DbErr, EntityTrait, ExprTrait as _,
    sea_query::{Expr, Query},
};

use super::{
    db_uuid::DbUuid,
    entity::{end_user, workflow_run},
    error::SqlError,
    retry::with_retries,
    sql_store::SqlStore,
    text::without_nul,
    timestamp::naive_utc,
};
use crate::domain::{
    app::AppMode,
    conversation::{RunRecord, WorkflowRunRecord},
    error::Result,
    id::{EndUserId, WorkflowId, WorkflowRunId},
    stored_run::{RunCreator, StoredRun},
};

impl SqlStore {
    /// Writes a run, its message and its conversation in one transaction.
    pub async fn record_run(&self, run: &RunRecord) -> Result<()> {
        self.call("TRANSACTION", async {
            // The semaphore is never closed, so this always returns a permit.
            let _permit = self.run_write_permits.acquire().await;
            with_retries(|| self.try_record_run(run)).await
        })
        .await
    }

    /// A run of a graph that has ended, without its graph and inputs. `None` for the run of another creator. Beside
    /// Dify, a run has a row before it ends.
    pub async fn find_workflow_run(&self, id: WorkflowRunId, creator: &RunCreator) -> Result<Option<StoredRun>> {
        use workflow_run::Column;
        let columns = [
            Column::WorkflowId,
            Column::Status,
            Column::Outputs,
            Column::Error,
            Column::ElapsedTime,
            Column::TotalTokens,
            Column::TotalSteps,
            Column::ExceptionsCount,
            Column::CreatedBy,
            Column::CreatedAt,
            Column::FinishedAt,
        ];
        let run = |column: Column| Expr::col((workflow_run::Entity, column));
        let user = |column: end_user::Column| Expr::col((end_user::Entity, column));
        let created_by = user(end_user::Column::Id).equals((workflow_run::Entity, Column::CreatedBy));
        let is_creator = run(Column::CreatedBy)
            .eq(self.id(creator.id.0))
            .or(user(end_user::Column::SessionId).eq(creator.forwarded_as.as_str()));
        let select = Query::select()
            .columns(columns.map(|column| (workflow_run::Entity, column)))
            .from(workflow_run::Entity)
            .left_join(end_user::Entity, created_by)
            .and_where(run(Column::Id).eq(self.id(id.0)))
            .and_where(run(Column::AppId).eq(self.id(creator.app.0)))
            .and_where(run(Column::FinishedAt).is_not_null())
            .and_where(is_creator)
            .take();
        let Some(row) = self.query_one(&select).await? else { return Ok(None) };
        let uuid = |column| Ok::<_, DbErr>(row.try_get_by::<DbUuid, _>(column)?.uuid());
        Ok(Some(StoredRun {
            id,
            workflow_id: WorkflowId(uuid("workflow_id")?),
            status: row.try_get_by("status")?,
            outputs: row.try_get_by("outputs")?,
            error: row.try_get_by("error")?,
            elapsed_seconds: row.try_get_by("elapsed_time")?,
            total_tokens: row.try_get_by("total_tokens")?,
            total_steps: row.try_get_by::<Option<i32>, _>("total_steps")?.unwrap_or_default(),
            exceptions_count: row.try_get_by::<Option<i32>, _>("exceptions_count")?.unwrap_or_default(),
            created_by: EndUserId(uuid("created_by")?),
            created_at: row.try_get_by::<NaiveDateTime, _>("created_at")?.and_utc(),
            finished_at: row.try_get_by::<Option<NaiveDateTime>, _>("finished_at")?.map(|at| at.and_utc()),
        }))
    }

    async fn try_record_run(&self, run: &RunRecord) -> Result<(), SqlError> {
        let transaction = self.begin().await?;
        self.insert_end_user(&transaction, &run.end_user, run.began_at).await?;
        // No message is added to a conversation that was deleted during the run.
        if let Some(message) = &run.message
            && self.write_conversation(&transaction, run, message).await?
        {
            self.insert_message(&transaction, run, message).await?;
            if !message.variables.is_empty() {
                self.write_variables(&transaction, message, run.ended_at).await?;
            }
        }
        if let Some(record) = &run.workflow_run {
            self.insert_workflow_run(&transaction, run, record).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    async fn insert_workflow_run(
        &self,
        connection: &impl ConnectionTrait,
        run: &RunRecord,
        record: &WorkflowRunRecord,
    ) -> Result<(), DbErr> {
        let row = workflow_run::ActiveModel {
            id: Set(self.id(record.id.0)),
            tenant_id: Set(self.id(run.end_user.workspace_id.0)),
            app_id: Set(self.id(run.end_user.app_id.0)),
            workflow_id: Set(self.id(record.workflow_id.0)),
            r#type: Set(if run.mode == AppMode::Workflow { "workflow" } else { "chat" }.to_owned()),
            triggered_from: Set("app-run".to_owned()),
            version: Set(record.version.clone()),
            graph: Set(Some(record.graph.as_ref().to_owned())),
            inputs: Set(Some(record.inputs.to_string())),
            status: Set(run.ending.status().as_str().to_owned()),
            outputs: Set(Some(record.outputs.to_string())),
            error: Set(run.ending.error().map(without_nul)),
            elapsed_time: Set(record.elapsed.as_secs_f64()),
            total_tokens: Set(i64::try_from(record.total_tokens).unwrap_or(i64::MAX)),
            total_steps: Set(Some(i32::try_from(record.total_steps).unwrap_or(i32::MAX))),
            created_by_role: Set("end_user".to_owned()),
            created_by: Set(self.id(run.end_user.id().0)),
            created_at: Set(naive_utc(run.began_at)),
            finished_at: Set(Some(naive_utc(run.ended_at))),
            exceptions_count: Set(Some(i32::try_from(record.exceptions_count).unwrap_or(i32::MAX))),
        };
        workflow_run::Entity::insert(row).exec_without_returning(connection).await.map(|_| ())
    }
}
