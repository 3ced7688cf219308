//! Forms of runs that wait for a person.

use super::*;
use crate::domain::{
    error::Code,
    human_form::{FormResolution, FormToken, StoredHumanForm},
    id::{AppId, EndUserId, HumanFormId, TaskId, WorkflowId, WorkflowRunId},
};

conformance!(
    form_is_found_by_its_token_in_its_app,
    one_of_concurrent_resolutions_succeeds,
    expired_forms_are_listed_and_cannot_be_submitted,
    waiting_runs_of_a_caller_are_limited,
    resolved_forms_are_deleted,
);

fn form(owner: EndUserId) -> StoredHumanForm {
    StoredHumanForm {
        id: HumanFormId(Uuid::new_v4()),
        app_id: AppId(Uuid::new_v4()),
        workflow_id: WorkflowId(Uuid::new_v4()),
        run_id: WorkflowRunId(Uuid::new_v4()),
        task_id: TaskId(Uuid::new_v4()),
        owner,
        form: "{\"form_content\": \"é\"}".to_owned(),
        created_at: start(),
        expires_at: later(3_600),
        resolved_at: None,
    }
}

fn owner() -> EndUserId {
    EndUserId(Uuid::new_v4())
}

fn token() -> FormToken {
    let mut secret = [0; 32];
    secret[..16].copy_from_slice(Uuid::new_v4().as_bytes());
    FormToken::from_entropy(&secret)
}

async fn inserted(sql: &SqlStore) -> StoredHumanForm {
    let form = form(owner());
    sql.insert_human_form(&form, &token().hash(), "state").await.unwrap();
    form
}

async fn form_is_found_by_its_token_in_its_app(sql: SqlStore) {
    migrate_with_account(&sql).await;
    let (form, token) = (form(owner()), token());
    sql.insert_human_form(&form, &token.hash(), "state").await.unwrap();
    assert_eq!(sql.find_human_form(form.app_id, &token.hash()).await.unwrap().as_ref(), Some(&form));
    assert!(sql.find_human_form(AppId(Uuid::new_v4()), &token.hash()).await.unwrap().is_none());
    assert!(sql.find_human_form(form.app_id, &self::token().hash()).await.unwrap().is_none());
    assert_eq!(sql.find_form_of_run(form.run_id).await.unwrap().as_ref(), Some(&form));
    assert_eq!(sql.find_form_of_task(form.task_id).await.unwrap().as_ref(), Some(&form));
    assert_eq!(sql.find_paused_state(form.id).await.unwrap().as_deref(), Some("state"));
    assert!(sql.resolve_human_form(form.id, FormResolution::Stopped, later(1)).await.unwrap());
    assert!(sql.find_form_of_run(form.run_id).await.unwrap().is_none());
    assert!(sql.find_form_of_task(form.task_id).await.unwrap().is_none());
    sql.reopen_human_form(form.id).await.unwrap();
    assert_eq!(sql.find_form_of_run(form.run_id).await.unwrap().as_ref(), Some(&form));
    assert!(sql.resolve_human_form(form.id, FormResolution::Submitted, later(1)).await.unwrap());
    sql.drop_human_form_state(form.id).await.unwrap();
    assert_eq!(sql.find_paused_state(form.id).await.unwrap(), None);
    sql.reopen_human_form(form.id).await.unwrap();
    let used = sql.find_human_form(form.app_id, &token.hash()).await.unwrap().unwrap();
    assert_eq!((used.resolved_at, used.form.as_str()), (Some(later(1)), ""), "a run that continued is not reopened");
}

async fn one_of_concurrent_resolutions_succeeds(sql: SqlStore) {
    migrate_with_account(&sql).await;
    let form = inserted(&sql).await;
    let mut writers = Vec::new();
    for _ in 0..8 {
        let (sql, id) = (sql.clone(), form.id);
        writers.push(tokio::spawn(async move {
            sql.resolve_human_form(id, FormResolution::Submitted, later(1)).await.unwrap()
        }));
    }
    let mut won = 0;
    for writer in writers {
        won += usize::from(writer.await.unwrap());
    }
    assert_eq!(won, 1);
}

async fn expired_forms_are_listed_and_cannot_be_submitted(sql: SqlStore) {
    migrate_with_account(&sql).await;
    let form = inserted(&sql).await;
    let (before, at) = (later(3_599), later(3_600));
    assert!(sql.list_expired_human_forms(before, 10).await.unwrap().is_empty());
    assert_eq!(sql.list_expired_human_forms(at, 10).await.unwrap(), std::slice::from_ref(&form));
    assert!(!sql.resolve_human_form(form.id, FormResolution::Submitted, at).await.unwrap());
    assert!(!sql.resolve_human_form(form.id, FormResolution::Expired, before).await.unwrap());
    assert!(sql.resolve_human_form(form.id, FormResolution::Expired, at).await.unwrap());
    assert!(!sql.resolve_human_form(form.id, FormResolution::Expired, at).await.unwrap());
    assert!(sql.list_expired_human_forms(at, 10).await.unwrap().is_empty());
}

async fn waiting_runs_of_a_caller_are_limited(sql: SqlStore) {
    migrate_with_account(&sql).await;
    let one = owner();
    let first = form(one);
    sql.insert_human_form(&first, &token().hash(), &"x".repeat(4 << 20)).await.unwrap();
    for _ in 1..15 {
        sql.insert_human_form(&form(one), &token().hash(), &"x".repeat(4 << 20)).await.unwrap();
    }
    let large = sql.insert_human_form(&form(one), &token().hash(), &"x".repeat((4 << 20) + 1)).await.unwrap_err();
    assert_eq!(large.code(), Code::RateLimited, "64 MiB in all");
    for _ in 15..100 {
        sql.insert_human_form(&form(one), &token().hash(), "small").await.unwrap();
    }
    let more = sql.insert_human_form(&form(one), &token().hash(), "small").await.unwrap_err();
    assert_eq!(more.code(), Code::RateLimited, "100 runs");
    sql.insert_human_form(&form(owner()), &token().hash(), "small").await.unwrap();
    assert!(sql.resolve_human_form(first.id, FormResolution::Submitted, later(1)).await.unwrap());
    sql.insert_human_form(&form(one), &token().hash(), "small").await.unwrap();
}

async fn resolved_forms_are_deleted(sql: SqlStore) {
    migrate_with_account(&sql).await;
    let (resolved, waiting) = (inserted(&sql).await, inserted(&sql).await);
    assert!(sql.resolve_human_form(resolved.id, FormResolution::Submitted, later(10)).await.unwrap());
    assert_eq!(sql.delete_resolved_human_forms(later(10)).await.unwrap(), 0);
    assert_eq!(sql.delete_resolved_human_forms(later(11)).await.unwrap(), 1);
    assert_eq!(sql.find_form_of_run(waiting.run_id).await.unwrap(), Some(waiting));
}
