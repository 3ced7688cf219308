//! Audit events of commands, which wait for a server. Of several replicas one writes an event.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, Order, QueryFilter, QueryResult,
    sea_query::Query,
};
use uuid::Uuid;

use super::{
    db_uuid::DbUuid,
    entity::operator_event::{ActiveModel, Column, Entity},
    error::SqlError,
    sql_store::{MAX_ROWS_PER_STATEMENT, SqlStore},
    text::without_nul,
    timestamp::to_micros,
};
use crate::domain::{error::Result, operator_event::OperatorEvent};

/// Age at which an event is deleted that no server has written.
const MAX_AGE: TimeDelta = TimeDelta::days(90);

impl SqlStore {
    /// Stores the events of a command, in their order, and deletes those that are too old.
    pub async fn store_operator_events(&self, events: &[String], now: DateTime<Utc>) -> Result<()> {
        let old = Entity::delete_many().filter(Column::CreatedAt.lt(to_micros(now - MAX_AGE)));
        self.call("DELETE", old.exec(&self.db)).await?;
        let mut created_at = now;
        for chunk in events.chunks(MAX_ROWS_PER_STATEMENT) {
            let mut rows = Vec::with_capacity(chunk.len());
            for event in chunk {
                rows.push(ActiveModel {
                    id: Set(self.id(Uuid::new_v4())),
                    event: Set(without_nul(event)),
                    created_at: Set(to_micros(created_at)),
                });
                // The order of delivery is that of the times.
                created_at += TimeDelta::microseconds(1);
            }
            self.call("INSERT", Entity::insert_many(rows).exec_without_returning(&self.db)).await?;
        }
        Ok(())
    }

    /// Passes the oldest events to `write` and deletes them. Returns their number. Replicas that do so at the same time
    /// wait for each other. After a crash between the two steps an event is written again, with the same id.
    pub async fn take_operator_events(
        &self,
        limit: u64,
        write: impl Fn(&OperatorEvent) + Send + Sync,
    ) -> Result<usize> {
        self.call("TRANSACTION", self.try_take_operator_events(limit, write)).await
    }

    async fn try_take_operator_events(
        &self,
        limit: u64,
        write: impl Fn(&OperatorEvent) + Send + Sync,
    ) -> Result<usize, SqlError> {
        let transaction = self.begin().await?;
        let select = Query::select()
            .columns([Column::Id, Column::Event, Column::CreatedAt])
            .from(Entity)
            .order_by(Column::CreatedAt, Order::Asc)
            .limit(limit)
            .lock(self.row_lock())
            .take();
        let rows = transaction.query_all(&select).await?;
        if rows.is_empty() {
            return Ok(0);
        }
        let events = rows.iter().map(read_event).collect::<Result<Vec<_>, _>>()?;
        let delete = Entity::delete_many().filter(Column::Id.is_in(events.iter().map(|event| self.id(event.id))));
        let deleted = delete.exec(&transaction).await?.rows_affected;
        if deleted != events.len() as u64 {
            return Err(DbErr::RecordNotUpdated.into());
        }
        events.iter().for_each(&write);
        transaction.commit().await?;
        Ok(events.len())
    }
}

fn read_event(row: &QueryResult) -> Result<OperatorEvent, DbErr> {
    Ok(OperatorEvent {
        id: row.try_get_by::<DbUuid, _>("id")?.uuid(),
        fields: row.try_get_by("event")?,
        created_at: row.try_get_by("created_at")?,
    })
}
