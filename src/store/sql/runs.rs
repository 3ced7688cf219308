//! Runs that are over.
//!
//! A run is written once, when it is over and before its caller can know: a caller who has seen the end finds the
//! conversation there. Until then it is nowhere, so that the first event waits for no write; a crash loses the runs that
//! were under way, as it breaks off their streams.

use sea_orm::{ActiveValue::Set, ConnectionTrait, DbErr, EntityTrait};

use super::{
    SqlStore,
    entity::workflow_run,
    error::{SqlError, retried},
    limited, naive,
    text::storable,
};
use crate::domain::{
    Result,
    app::AppMode,
    conversation::{RunRecord, WorkflowRunRecord},
};

impl SqlStore {
    /// Writes everything that is kept of a run, in one transaction.
    pub async fn record_run(&self, run: &RunRecord) -> Result<()> {
        limited(async {
            // Never closed, so there is always a turn to come.
            let _turn = self.turns.acquire().await;
            retried(|| self.try_record_run(run)).await
        })
        .await
    }

    async fn try_record_run(&self, run: &RunRecord) -> Result<(), SqlError> {
        let transaction = self.begin().await?;
        self.keep_end_user(&transaction, &run.end_user, run.began_at).await?;
        // In a conversation that was deleted meanwhile nothing is said any more.
        if let Some(message) = &run.message
            && self.keep_conversation(&transaction, run, message).await?
        {
            self.keep_message(&transaction, run, message).await?;
            if !message.variables.is_empty() {
                self.keep_variables(&transaction, message, run.ended_at).await?;
            }
        }
        if let Some(record) = &run.workflow_run {
            self.keep_workflow_run(&transaction, run, record).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    async fn keep_workflow_run(
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
            error: Set(run.ending.error().map(storable)),
            elapsed_time: Set(record.elapsed.as_secs_f64()),
            total_tokens: Set(i64::try_from(record.total_tokens).unwrap_or(i64::MAX)),
            total_steps: Set(Some(i32::try_from(record.total_steps).unwrap_or(i32::MAX))),
            created_by_role: Set("end_user".to_owned()),
            created_by: Set(self.id(run.end_user.id().0)),
            created_at: Set(naive(run.began_at)),
            finished_at: Set(Some(naive(run.ended_at))),
            exceptions_count: Set(Some(i32::try_from(record.exceptions_count).unwrap_or(i32::MAX))),
        };
        workflow_run::Entity::insert(row).exec_without_returning(connection).await.map(|_| ())
    }
}
