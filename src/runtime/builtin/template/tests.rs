use serde_json::{Value, json};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::*;
use crate::{
    domain::id::{AppId, WorkspaceId},
    ports::entropy::SystemEntropy,
};

fn renderer(threads: usize) -> Arc<TemplateRenderer> {
    renderer_with(threads, MemoryLedger::unlimited())
}

fn renderer_with(threads: usize, memory: MemoryLedger) -> Arc<TemplateRenderer> {
    Arc::new(TemplateRenderer::new(threads, Arc::new(SystemEntropy), memory))
}

fn owner(workspace: u128, app: u128) -> SlotOwner {
    SlotOwner { workspace: WorkspaceId(Uuid::from_u128(workspace)), app: AppId(Uuid::from_u128(app)) }
}

fn start(renderer: &AppRenderer, source: &str, with: &Value) -> Rendering {
    renderer.render(&TemplateSource::from(source.to_owned()), with.as_object().unwrap())
}

/// Occupies a thread until the sender is used.
async fn occupy(renderer: &AppRenderer) -> std::sync::mpsc::Sender<()> {
    let (began, begins) = oneshot::channel();
    let (release, released) = std::sync::mpsc::channel::<()>();
    tokio::spawn(renderer.run_blocking(move || {
        began.send(()).unwrap();
        released.recv()
    }));
    begins.await.unwrap();
    release
}

#[tokio::test]
async fn small_templates_render_inline() {
    let renderer = renderer(1).for_app(owner(1, 1));
    assert!(matches!(start(&renderer, "{{ a }}", &json!({"a": 1})), Rendering::Ready(Ok(_))));
    assert!(matches!(start(&renderer, "{{ a", &json!({})), Rendering::Ready(Err(TemplateError::Syntax { .. }))));
    assert!(matches!(start(&renderer, "{{ a }}", &json!({"a": "x".repeat(100_000)})), Rendering::Pending(_)));
    assert!(matches!(start(&renderer, "{% for i in range(5000) %}{% endfor %}", &json!({})), Rendering::Pending(_)));
    let Rendering::Pending(long) = start(&renderer, &"x".repeat(10_000), &json!({})) else { panic!("is inline") };
    assert_eq!(long.await.unwrap().len(), 10_000);
    let Rendering::Pending(long) = start(&renderer, &"x".repeat(1 << 20), &json!({})) else { panic!("is inline") };
    assert_eq!(long.await, Err(TemplateError::SourceTooLong));
}

#[tokio::test]
async fn a_dropped_rendering_ends_and_frees_its_thread() {
    let renderer = renderer(1).for_app(owner(1, 1));
    let endless = "{% for i in range(10**9) %}{% for j in range(10**9) %}{% endfor %}{% endfor %}";
    let Rendering::Pending(rendering) = start(&renderer, endless, &json!({})) else { panic!("is inline") };
    drop(tokio::time::timeout(Duration::from_millis(20), rendering).await);
    // The only thread is free again as soon as the rendering sees its flag.
    assert_eq!(renderer.run_blocking(|| 1).await, Ok(1));
}

#[tokio::test]
async fn a_free_thread_goes_to_the_workspace_with_the_fewest() {
    let shared = renderer(2);
    let (busy, other) = (shared.for_app(owner(1, 1)), shared.for_app(owner(2, 2)));
    let releases = [occupy(&busy).await, occupy(&busy).await];
    let order = Arc::new(parking_lot::Mutex::new(Vec::new()));
    let run = |renderer: &AppRenderer, name: &'static str| {
        let order = Arc::clone(&order);
        tokio::spawn(renderer.run_blocking(move || order.lock().push(name)))
    };
    let waiting = [run(&busy, "busy"), run(&busy, "busy"), run(&other, "other")];
    releases[0].send(()).unwrap();
    for task in waiting {
        task.await.unwrap().unwrap();
    }
    assert_eq!(order.lock().first(), Some(&"other"));
}

#[tokio::test]
async fn renderings_reserve_their_part_of_the_memory_for_templates() {
    let memory = MemoryLedger::with_limits(|kind| if kind == MemoryKind::Templates { 4 << 20 } else { 0 });
    let renderer = renderer_with(2, memory.clone()).for_app(owner(1, 1));
    let release = occupy(&renderer).await;
    assert_eq!(memory.used(MemoryKind::Templates), 2 << 20);
    let large = "{% set x = 'x' * 1000000 %}{% set y = x ~ x ~ x %}{{ y|length }}";
    let Rendering::Pending(large) = start(&renderer, large, &json!({})) else { panic!("is inline") };
    assert_eq!(large.await, Err(TemplateError::TooMuchMemory));
    let small = "{% set x = 'x' * 500000 %}{{ x|length }}";
    let Rendering::Pending(small) = start(&renderer, small, &json!({})) else { panic!("is inline") };
    assert_eq!(small.await.as_deref(), Ok("500000"));
    release.send(()).unwrap();
    renderer.run_blocking(|| ()).await.unwrap();
    assert!(memory.used(MemoryKind::Templates) <= 2 << 20);
}

#[tokio::test]
async fn callers_that_left_do_not_delay_others() {
    let shared = renderer(1);
    let release = occupy(&shared.for_app(owner(1, 1))).await;
    for workspace in 2..2_000 {
        drop(shared.for_app(owner(workspace, workspace)).run_blocking(|| ()));
    }
    let last = shared.for_app(owner(3_000, 1)).run_blocking(|| 7);
    release.send(()).unwrap();
    assert_eq!(last.await, Ok(7));
}

#[tokio::test]
async fn a_workspace_with_a_full_queue_fails_at_once_and_others_do_not() {
    let shared = renderer(1);
    let (busy, other) = (shared.for_app(owner(1, 1)), shared.for_app(owner(2, 2)));
    let release = occupy(&busy).await;
    let waiting: Vec<_> = (0..64).map(|_| busy.run_blocking(|| ())).collect();
    assert!(shared.is_full(owner(1, 3)));
    assert!(!shared.is_full(owner(2, 2)));
    assert_eq!(busy.run_blocking(|| ()).await, Err(TemplateError::Busy));
    let others = tokio::spawn(other.run_blocking(|| ()));
    drop(waiting);
    assert!(!shared.is_full(owner(1, 1)));
    release.send(()).unwrap();
    others.await.unwrap().unwrap();
}

#[test]
fn check_names_the_line_and_a_cure() {
    let check = |source: &str| TemplateSource::from(source.to_owned()).check().unwrap_err().to_string();
    assert_eq!(
        check("a\n{{ x|uper }}"),
        "line 2: there is no filter named 'uper'; use a filter of Jinja2 3.1 or a code node"
    );
    assert_eq!(check("{{ x|uppr }}"), "line 1: there is no filter named 'uppr'; did you mean 'upper'?");
    assert!(check("{% include 'x' %}").contains("'include' is not offered"));
    assert!(check("{{ lipsum() }}").contains("'lipsum' is not offered"));
    assert!(TemplateSource::from("{{ x|upper }}".to_owned()).check().is_ok());
}
