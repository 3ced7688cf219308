//! Events of commands: stored in order, taken once, deleted when they are too old.

use chrono::TimeDelta;
use parking_lot::Mutex;

use super::{conformance, count, start};
use crate::store::sql::SqlStore;

conformance!(events_are_taken_once_and_in_order, old_events_are_deleted);

async fn events_are_taken_once_and_in_order(sql: SqlStore) {
    sql.migrate_up(false).await.unwrap();
    let events: Vec<_> = (0..1_200).map(|nth| format!("{{\"nth\":{nth}}}")).collect();
    sql.store_operator_events(&events, start()).await.unwrap();
    let taken = Mutex::new(Vec::new());
    let take = async || {
        while sql.take_operator_events(100, |event| taken.lock().push(event.fields.clone())).await.unwrap() > 0 {}
    };
    tokio::join!(take(), take(), take());
    let mut taken = taken.into_inner();
    assert_eq!(taken.len(), events.len());
    taken.sort_unstable();
    taken.dedup();
    assert_eq!(taken.len(), events.len(), "each event is taken once");
    assert_eq!(count(&sql, "openapi_operator_events").await, 0);

    sql.store_operator_events(&events[..3], start()).await.unwrap();
    let taken = Mutex::new(Vec::new());
    sql.take_operator_events(2, |event| taken.lock().push(event.fields.clone())).await.unwrap();
    assert_eq!(taken.into_inner(), events[..2]);
}

async fn old_events_are_deleted(sql: SqlStore) {
    sql.migrate_up(false).await.unwrap();
    let event = ["{}".to_owned()];
    sql.store_operator_events(&event, start()).await.unwrap();
    sql.store_operator_events(&event, start() + TimeDelta::days(89)).await.unwrap();
    assert_eq!(count(&sql, "openapi_operator_events").await, 2);
    sql.store_operator_events(&event, start() + TimeDelta::days(91)).await.unwrap();
    assert_eq!(count(&sql, "openapi_operator_events").await, 2);
}
