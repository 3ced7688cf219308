//! Inline comparisons, and those on blocking threads.

use std::{sync::Arc, time::Duration};

use serde_json::Map;
use tokio::{sync::oneshot, time::timeout};
use uuid::Uuid;

use super::*;
use crate::{
    domain::id::{AppId, WorkspaceId},
    memory::MemoryLedger,
    ports::entropy::SystemEntropy,
    runtime::builtin::{
        template::{TemplateRenderer, slots::SlotOwner},
        variables::pool::{SystemVariables, VariablePool},
    },
};

fn compare(length: usize, templates: &AppRenderer) -> NodeRun {
    let mut pool = VariablePool::new(SystemVariables::default(), Map::new(), Map::new(), (1 << 20, 1 << 20));
    let values = Map::from_iter([("text".to_owned(), json!("x".repeat(length)))]);
    pool.set(VariablePool::ROOT, &"n".into(), Arc::new(values)).unwrap();
    let condition = json!({"variable_selector": ["n", "text"], "comparison_operator": "contains", "value": "x"});
    let cases = json!({"cases": [{"case_id": "has", "logical_operator": "and", "conditions": [condition]}]});
    start(&serde_json::from_value(cases).unwrap(), pool.view(VariablePool::ROOT), 1 << 20, templates)
}

#[tokio::test]
async fn large_values_wait_for_a_permit_and_small_ones_do_not() {
    let owner = SlotOwner { workspace: WorkspaceId(Uuid::nil()), app: AppId(Uuid::nil()) };
    let templates =
        Arc::new(TemplateRenderer::new(1, Arc::new(SystemEntropy), MemoryLedger::unlimited())).for_app(owner);
    let (start_sender, started) = oneshot::channel();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let holding = tokio::spawn(templates.run_blocking(move || {
        start_sender.send(()).unwrap();
        released.recv()
    }));
    started.await.unwrap();
    assert!(matches!(compare(10, &templates), NodeRun::Ready(Ok(_))));
    let NodeRun::Pending(mut comparing) = compare(2 * MAX_INLINE_WEIGHT, &templates) else { panic!("compared inline") };
    assert!(timeout(Duration::from_millis(50), &mut comparing).await.is_err(), "no permit is free");
    release.send(()).unwrap();
    let outcome = timeout(Duration::from_secs(10), comparing).await.expect("a permit is free").unwrap();
    assert_eq!(outcome.branch.as_deref(), Some("has"));
    holding.await.unwrap().unwrap().unwrap();
}
