//! Completed runs.
//!
//! A run is written once, when it has ended and before its last event is sent: a caller who has received that event
//! finds the conversation in the database. Nothing is written earlier, so that the first event does not wait for the
//! database. A crash loses the runs in progress, whose streams it breaks off as well.

use sea_orm::{ActiveValue::Set, ConnectionTrait, DbErr, EntityTrait};

use super::{
    entity::workflow_run, error::SqlError, retry::with_retries, sql_store::SqlStore, text::without_nul,
    timeout::with_timeout, timestamp::naive_utc,
};
use crate::domain::{
    app::AppMode,
    conversation::{RunRecord, WorkflowRunRecord},
    error::Result,
};

impl SqlStore {
    /// Writes a run, its message and its conversation in one transaction.
    pub async fn record_run(&self, run: &RunRecord) -> Result<()> {
        with_timeout(async {
            // The semaphore is never closed, so this always returns a permit.
            let _permit = self.run_write_permits.acquire().await;
            with_retries(|| self.try_record_run(run)).await
        })
        .await
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
