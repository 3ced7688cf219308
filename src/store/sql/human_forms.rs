//! Forms of runs that wait for a person. Of any number of resolutions of a form exactly one succeeds.

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, DbErr, EntityTrait, ExprTrait as _, FromQueryResult, QueryFilter, QueryOrder as _, QueryResult,
    QuerySelect, Select,
    sea_query::{Expr, SimpleExpr},
};

use super::{
    db_uuid::DbUuid,
    entity::human_form::{ActiveModel, Column, Entity},
    sql_store::SqlStore,
    text::without_nul,
    timestamp::to_micros,
};
use crate::domain::{
    error::{Code, Error, Result},
    human_form::{FormResolution, FormTokenHash, StoredHumanForm},
    id::{AppId, EndUserId, HumanFormId, TaskId, WorkflowId, WorkflowRunId},
};

/// Limit of runs of one caller that wait in one app.
const MAX_WAITING: usize = 100;
/// Limit of what is kept of these runs, in bytes.
const MAX_WAITING_BYTES: i64 = 64 << 20;

impl SqlStore {
    /// Stores a form with what is kept of its run. Fails with `rate_limited` when the caller's other waiting runs use
    /// up the limits. Runs that pause at the same time can exceed them by their number.
    pub async fn insert_human_form(&self, form: &StoredHumanForm, token: &FormTokenHash, state: &str) -> Result<()> {
        let bytes = i64::try_from(state.len()).unwrap_or(i64::MAX);
        let owner = Column::EndUserId.eq(self.id(form.owner.0));
        let waiting = Entity::find()
            .select_only()
            .column(Column::StateBytes)
            .filter(owner.and(Column::ResolvedAt.is_null()))
            .limit(MAX_WAITING as u64)
            .into_tuple::<i64>();
        let waiting = self.call("SELECT", waiting.all(&self.db)).await?;
        if waiting.len() >= MAX_WAITING || waiting.iter().sum::<i64>().saturating_add(bytes) > MAX_WAITING_BYTES {
            let message = "Too many of your runs of this app wait for a form.";
            return Err(Error::new(Code::RateLimited, message).with_hint("Submit some of them, or stop these runs."));
        }
        let row = ActiveModel {
            id: Set(self.id(form.id.0)),
            token_hash: Set(token.expose().to_owned()),
            app_id: Set(self.id(form.app_id.0)),
            workflow_id: Set(self.id(form.workflow_id.0)),
            workflow_run_id: Set(self.id(form.run_id.0)),
            task_id: Set(self.id(form.task_id.0)),
            end_user_id: Set(self.id(form.owner.0)),
            form: Set(without_nul(&form.form)),
            state: Set(without_nul(state)),
            state_bytes: Set(bytes),
            created_at: Set(to_micros(form.created_at)),
            expires_at: Set(to_micros(form.expires_at)),
            resolved_at: Set(form.resolved_at.map(to_micros)),
        };
        self.call("INSERT", Entity::insert(row).exec_without_returning(&self.db)).await.map(|_| ())
    }

    /// The form that a token admits to.
    pub async fn find_human_form(&self, app: AppId, token: &FormTokenHash) -> Result<Option<StoredHumanForm>> {
        let admitted = Column::TokenHash.eq(token.expose()).and(Column::AppId.eq(self.id(app.0)));
        self.one_human_form(admitted).await
    }

    /// The form that a run waits for.
    pub async fn find_form_of_run(&self, run: WorkflowRunId) -> Result<Option<StoredHumanForm>> {
        self.one_human_form(Column::WorkflowRunId.eq(self.id(run.0)).and(Column::ResolvedAt.is_null())).await
    }

    /// The form that a run waits for, by its task.
    pub async fn find_form_of_task(&self, task: TaskId) -> Result<Option<StoredHumanForm>> {
        self.one_human_form(Column::TaskId.eq(self.id(task.0)).and(Column::ResolvedAt.is_null())).await
    }

    async fn one_human_form(&self, condition: SimpleExpr) -> Result<Option<StoredHumanForm>> {
        let select = without_state(Entity::find()).filter(condition).into_model::<FormRow>();
        Ok(self.call("SELECT", select.one(&self.db)).await?.map(|row| row.0))
    }

    /// The forms that have expired while their run waits, oldest first.
    pub async fn list_expired_human_forms(&self, now: DateTime<Utc>, limit: u64) -> Result<Vec<StoredHumanForm>> {
        let select = without_state(Entity::find())
            .filter(Column::ResolvedAt.is_null())
            .filter(Column::ExpiresAt.lte(to_micros(now)))
            .order_by_asc(Column::ExpiresAt)
            .limit(limit)
            .into_model::<FormRow>();
        Ok(self.call("SELECT", select.all(&self.db)).await?.into_iter().map(|row| row.0).collect())
    }

    /// What is kept of the run of a form; `None` once it has continued.
    pub async fn find_paused_state(&self, id: HumanFormId) -> Result<Option<String>> {
        let select = Entity::find()
            .select_only()
            .column(Column::State)
            .filter(Column::Id.eq(self.id(id.0)))
            .into_tuple::<String>();
        Ok(self.call("SELECT", select.one(&self.db)).await?.filter(|state| !state.is_empty()))
    }

    /// Resolves a form. Returns `false` when it was resolved before, or the time for this has passed or not come.
    pub async fn resolve_human_form(
        &self,
        id: HumanFormId,
        resolution: FormResolution,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let now = to_micros(now);
        let mut update = Entity::update_many()
            .col_expr(Column::ResolvedAt, Expr::value(Some(now)))
            .filter(Column::Id.eq(self.id(id.0)))
            .filter(Column::ResolvedAt.is_null());
        update = match resolution {
            FormResolution::Submitted => update.filter(Column::ExpiresAt.gt(now)),
            FormResolution::Expired => update.filter(Column::ExpiresAt.lte(now)),
            FormResolution::Stopped => update,
        };
        Ok(self.call("UPDATE", update.exec(&self.db)).await?.rows_affected == 1)
    }

    /// Lets a form be resolved again, because its run could not continue.
    pub async fn reopen_human_form(&self, id: HumanFormId) -> Result<()> {
        let update = Entity::update_many()
            .col_expr(Column::ResolvedAt, Expr::value(None::<DateTime<Utc>>))
            .filter(Column::Id.eq(self.id(id.0)))
            .filter(Column::State.ne(""));
        self.call("UPDATE", update.exec(&self.db)).await.map(|_| ())
    }

    /// Drops the text of a form and what is kept of its run. The token of the form is then known as used.
    pub async fn drop_human_form_state(&self, id: HumanFormId) -> Result<()> {
        let update = Entity::update_many()
            .col_expr(Column::Form, Expr::value(""))
            .col_expr(Column::State, Expr::value(""))
            .filter(Column::Id.eq(self.id(id.0)));
        self.call("UPDATE", update.exec(&self.db)).await.map(|_| ())
    }

    /// Deletes the forms that were resolved before `before`.
    pub async fn delete_resolved_human_forms(&self, before: DateTime<Utc>) -> Result<u64> {
        let delete = Entity::delete_many().filter(Column::ResolvedAt.lt(to_micros(before)));
        Ok(self.call("DELETE", delete.exec(&self.db)).await?.rows_affected)
    }
}

/// Leaves out the state, which may be large.
fn without_state(select: Select<Entity>) -> Select<Entity> {
    select.select_only().columns([
        Column::Id,
        Column::AppId,
        Column::WorkflowId,
        Column::WorkflowRunId,
        Column::TaskId,
        Column::EndUserId,
        Column::Form,
        Column::CreatedAt,
        Column::ExpiresAt,
        Column::ResolvedAt,
    ])
}

struct FormRow(StoredHumanForm);

impl FromQueryResult for FormRow {
    fn from_query_result(row: &QueryResult, prefix: &str) -> Result<Self, DbErr> {
        let id = |name: &str| row.try_get::<DbUuid>(prefix, name).map(DbUuid::uuid);
        Ok(Self(StoredHumanForm {
            id: HumanFormId(id("id")?),
            app_id: AppId(id("app_id")?),
            workflow_id: WorkflowId(id("workflow_id")?),
            run_id: WorkflowRunId(id("workflow_run_id")?),
            task_id: TaskId(id("task_id")?),
            owner: EndUserId(id("end_user_id")?),
            form: row.try_get(prefix, "form")?,
            created_at: row.try_get(prefix, "created_at")?,
            expires_at: row.try_get(prefix, "expires_at")?,
            resolved_at: row.try_get(prefix, "resolved_at")?,
        }))
    }
}
