use serde_json::json;

use super::*;
use crate::{
    domain::{
        Code,
        app::file::{AppBody, AppFile, Target},
        id::{AppId, WorkspaceId},
    },
    dsl,
};

conformance!(
    every_demo_app_comes_out_as_it_went_in,
    an_app_of_the_same_name_is_overwritten_and_published_anew,
    imports_at_once_make_one_app,
    what_cannot_be_meant_is_refused_and_changes_nothing,
    a_file_of_many_megabytes_is_kept,
);

async fn workspace(sql: &Sql) -> WorkspaceId {
    sql.migrate_up(false).await.unwrap();
    sql.create_account("ada@example.com", "Ada", None, start()).await.unwrap();
    sql.create_workspace("W", "ada@example.com", start()).await.unwrap()
}

fn demo(n: usize) -> AppFile {
    dsl::read(dsl::demo::FILES[n]).unwrap().app
}

async fn every_demo_app_comes_out_as_it_went_in(sql: Sql) {
    let workspace = workspace(&sql).await;
    for n in 0..dsl::demo::FILES.len() {
        let app = demo(n);
        let imported = sql.import_app(workspace, &app, Target::Named, start()).await.unwrap();
        assert!(!imported.overwritten);
        let kept = sql.export_app(imported.id).await.unwrap();
        assert_eq!(kept, app);
        let text = dsl::write(&kept).unwrap();
        let again = dsl::read(&text).unwrap().app;
        let imported = sql.import_app(workspace, &again, Target::App(imported.id), later(1)).await.unwrap();
        assert!(imported.overwritten);
        assert_eq!(dsl::write(&sql.export_app(imported.id).await.unwrap()).unwrap(), text);
    }
    let listed = sql.list_workspace_apps(workspace).await.unwrap();
    let names: Vec<_> = listed.iter().map(|app| app.name.as_str()).collect();
    assert_eq!(names, ["Concierge", "Detective", "Greeting", "Parrot", "Translator"]);
    assert!(listed.iter().all(|app| app.published));
}

async fn an_app_of_the_same_name_is_overwritten_and_published_anew(sql: Sql) {
    let workspace = workspace(&sql).await;
    for n in [0, 4] {
        let mut app = demo(n);
        let first = sql.import_app(workspace, &app, Target::Named, start()).await.unwrap();
        app.description = "another".to_owned();
        match &mut app.body {
            AppBody::Model(config) => {
                config.insert("pre_prompt".to_owned(), json!("another"));
                config.shift_remove("opening_statement");
            }
            AppBody::Graph { features, .. } => *features = json!({"opening_statement": "another"}),
        }
        let second = sql.import_app(workspace, &app, Target::Named, later(1)).await.unwrap();
        assert_eq!((second.id, second.overwritten), (first.id, true));
        assert_eq!(sql.export_app(first.id).await.unwrap(), app);
        let third = sql.import_app(workspace, &app, Target::New, later(2)).await.unwrap();
        assert_ne!(third.id, first.id);
        // Now the name alone says nothing.
        let error = sql.import_app(workspace, &app, Target::Named, later(3)).await.unwrap_err();
        assert!(error.hint_text().unwrap().contains("--app"), "{error:?}");
        assert!(sql.import_app(workspace, &app, Target::App(third.id), later(4)).await.unwrap().overwritten);
        assert_eq!(sql.find_apps_of_name(&app.name).await.unwrap().len(), 2);
    }
}

async fn imports_at_once_make_one_app(sql: Sql) {
    let workspace = workspace(&sql).await;
    let imports = (0..12).map(|n| {
        let sql = sql.clone();
        tokio::spawn(async move { sql.import_app(workspace, &demo(4), Target::Named, later(n)).await.unwrap() })
    });
    let done: Vec<_> = futures_util::future::join_all(imports).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(done.iter().filter(|imported| !imported.overwritten).count(), 1);
    assert_eq!(sql.list_workspace_apps(workspace).await.unwrap().len(), 1);
}

async fn what_cannot_be_meant_is_refused_and_changes_nothing(sql: Sql) {
    let workspace = workspace(&sql).await;
    let elsewhere = sql.create_workspace("V", "ada@example.com", start()).await.unwrap();
    let id = sql.import_app(workspace, &demo(0), Target::Named, start()).await.unwrap().id;
    let mut other_mode = demo(4);
    other_mode.name = demo(0).name;
    let nowhere = AppId(Uuid::new_v4());
    for (workspace, file, target, code) in [
        (workspace, &other_mode, Target::Named, Code::InvalidParam),
        (workspace, &other_mode, Target::App(id), Code::InvalidParam),
        (workspace, &demo(0), Target::App(nowhere), Code::NotFound),
        (elsewhere, &demo(0), Target::App(id), Code::NotFound),
        (WorkspaceId(Uuid::new_v4()), &demo(0), Target::New, Code::NotFound),
    ] {
        assert_eq!(sql.import_app(workspace, file, target, later(1)).await.unwrap_err().code(), code);
    }
    assert_eq!(sql.export_app(id).await.unwrap(), demo(0));
    assert_eq!(sql.list_workspace_apps(workspace).await.unwrap().len(), 1);
    assert!(sql.list_workspace_apps(elsewhere).await.unwrap().is_empty());
    assert_eq!(sql.export_app(nowhere).await.unwrap_err().code(), Code::NotFound);
}

async fn a_file_of_many_megabytes_is_kept(sql: Sql) {
    let workspace = workspace(&sql).await;
    let mut app = demo(4);
    let AppBody::Graph { features, .. } = &mut app.body else { panic!("a graph") };
    *features = json!({"long": "ä".repeat(3 << 20)});
    let id = sql.import_app(workspace, &app, Target::Named, start()).await.unwrap().id;
    assert!(sql.export_app(id).await.unwrap() == app);
}
