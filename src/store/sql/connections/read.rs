//! Reads connections.

use chrono::{DateTime, NaiveDateTime, Utc};
use sea_orm::{
    DbErr, Order, QueryResult,
    sea_query::{Alias, Expr, ExprTrait as _, JoinType, Query, SelectStatement, SimpleExpr},
};

use super::visibility::{self, narrower};
use crate::{
    domain::{
        connection::credential::{Connection, ConnectionHealth, ConnectionStatus, CredentialType},
        error::Result,
        id::{AccountId, ConnectionId, WorkspaceId},
        secret::Secret,
        stored::{StoredValue, StoredWord as _},
    },
    store::sql::{
        columns::read_word,
        db_uuid::DbUuid,
        entity::{connection_state as state, tool_credential as credential},
        sql_store::SqlStore,
        timestamp::to_micros,
    },
};

/// The alias of the column of Dify's table.
const DIFY_VISIBILITY: &str = "dify_visibility";
/// Most connections that a list without a provider returns.
const MAX_LISTED: u64 = 1_000;

fn column(column: credential::Column) -> Expr {
    Expr::col((credential::Entity, column))
}

/// Selects what [`read_connection`] reads. Rows without a workspace or values are none of Dify's current ones.
fn select_connections(has_visibility: bool) -> SelectStatement {
    let is_state =
        Expr::col((state::Entity, state::Column::CredentialId)).equals((credential::Entity, credential::Column::Id));
    let mut select = Query::select()
        .columns(
            [
                credential::Column::Id,
                credential::Column::TenantId,
                credential::Column::UserId,
                credential::Column::Provider,
                credential::Column::EncryptedCredentials,
                credential::Column::CreatedAt,
                credential::Column::UpdatedAt,
                credential::Column::Name,
                credential::Column::IsDefault,
                credential::Column::CredentialType,
                credential::Column::ExpiresAt,
            ]
            .map(|column| (credential::Entity, column)),
        )
        .columns(
            [
                state::Column::Visibility,
                state::Column::Status,
                state::Column::Reason,
                state::Column::Failures,
                state::Column::RetryAt,
                state::Column::LastUsedAt,
            ]
            .map(|column| (state::Entity, column)),
        )
        .from(credential::Entity)
        .join(JoinType::LeftJoin, state::Entity, is_state)
        .and_where(column(credential::Column::TenantId).is_not_null())
        .and_where(column(credential::Column::EncryptedCredentials).is_not_null())
        .order_by((credential::Entity, credential::Column::CreatedAt), Order::Asc)
        .order_by((credential::Entity, credential::Column::Id), Order::Asc)
        .take();
    if has_visibility {
        select.expr_as(Expr::col((credential::Entity, Alias::new(visibility::COLUMN))), DIFY_VISIBILITY);
    }
    select
}

fn read_connection(row: &QueryResult, has_visibility: bool) -> Result<Connection, DbErr> {
    let status = row.try_get_by::<Option<String>, _>("status")?;
    let failures = row.try_get_by::<Option<i32>, _>("failures")?.unwrap_or_default();
    let health = ConnectionHealth {
        status: status.and_then(|word| ConnectionStatus::parse(&word)).unwrap_or(ConnectionStatus::Active),
        reason: row.try_get_by::<Option<String>, _>("reason")?.map(StoredValue::from),
        failures: u32::try_from(failures).unwrap_or_default(),
        retry_at: row.try_get_by("retry_at")?,
        last_used_at: row.try_get_by("last_used_at")?,
    };
    let of_dify = if has_visibility { row.try_get_by::<Option<String>, _>(DIFY_VISIBILITY)? } else { None };
    Ok(Connection {
        id: ConnectionId(row.try_get_by::<DbUuid, _>("id")?.uuid()),
        workspace_id: WorkspaceId(row.try_get_by::<DbUuid, _>("tenant_id")?.uuid()),
        owner: AccountId(row.try_get_by::<DbUuid, _>("user_id")?.uuid()),
        provider: row.try_get_by("provider")?,
        name: row.try_get_by("name")?,
        kind: read_word::<CredentialType>(row, "credential_type")?,
        visibility: narrower(row.try_get_by("visibility")?, of_dify),
        is_default: row.try_get_by("is_default")?,
        sealed: Secret::new(row.try_get_by::<String, _>("encrypted_credentials")?),
        expires_at: row.try_get_by("expires_at")?,
        created_at: row.try_get_by::<NaiveDateTime, _>("created_at")?.and_utc(),
        updated_at: row.try_get_by::<NaiveDateTime, _>("updated_at")?.and_utc(),
        health,
    })
}

impl SqlStore {
    /// The connections that the statement selects once `refine` has completed it.
    pub(super) async fn connections(&self, refine: impl FnOnce(&mut SelectStatement)) -> Result<Vec<Connection>> {
        let has_visibility = self.has_visibility_column().await?;
        let mut select = select_connections(has_visibility);
        refine(&mut select);
        let rows = self.query_all(&select).await?;
        Ok(rows.iter().map(|row| read_connection(row, has_visibility)).collect::<Result<_, _>>()?)
    }

    /// A connection of any workspace.
    pub async fn find_any_connection(&self, id: ConnectionId) -> Result<Option<Connection>> {
        let of_id = |select: &mut SelectStatement| {
            select.and_where(column(credential::Column::Id).eq(self.id(id.0)));
        };
        Ok(self.connections(of_id).await?.pop())
    }

    /// A connection of the workspace.
    pub async fn find_connection(&self, workspace: WorkspaceId, id: ConnectionId) -> Result<Option<Connection>> {
        Ok(self.find_any_connection(id).await?.filter(|connection| connection.workspace_id == workspace))
    }

    /// The connections of a workspace, oldest first, of one provider or of all.
    pub async fn list_connections(&self, workspace: WorkspaceId, provider: Option<&str>) -> Result<Vec<Connection>> {
        self.connections(|select| {
            select.and_where(column(credential::Column::TenantId).eq(self.id(workspace.0))).limit(MAX_LISTED);
            if let Some(provider) = provider {
                select.and_where(column(credential::Column::Provider).eq(provider));
            }
        })
        .await
    }

    /// A page of the connections of every workspace, by id: those after `after`.
    pub async fn page_of_connections(&self, after: Option<ConnectionId>, limit: u64) -> Result<Vec<Connection>> {
        self.connections(|select| {
            select.clear_order_by().order_by((credential::Entity, credential::Column::Id), Order::Asc).limit(limit);
            if let Some(after) = after {
                select.and_where(column(credential::Column::Id).gt(self.id(after.0)));
            }
        })
        .await
    }

    /// Active OAuth connections that expire before `expires_before`, were used since `used_since`, and may be tried
    /// again, the next to expire first: a page of those after `after`.
    pub async fn list_due_connections(
        &self,
        now: DateTime<Utc>,
        expires_before: DateTime<Utc>,
        used_since: DateTime<Utc>,
        after: Option<&Connection>,
        limit: u64,
    ) -> Result<Vec<Connection>> {
        let of_state = |column: state::Column| Expr::col((state::Entity, column));
        let may_retry: SimpleExpr =
            of_state(state::Column::RetryAt).is_null().or(of_state(state::Column::RetryAt).lte(to_micros(now)));
        self.connections(|select| {
            if let Some(after) = after {
                let expires_at = column(credential::Column::ExpiresAt);
                let is_next = column(credential::Column::Id).gt(self.id(after.id.0));
                let at_once = expires_at.clone().eq(after.expires_at).and(is_next);
                select.and_where(expires_at.gt(after.expires_at).or(at_once));
            }
            select
                .and_where(column(credential::Column::CredentialType).eq(CredentialType::OAuth.as_str()))
                .and_where(column(credential::Column::ExpiresAt).gte(0))
                .and_where(column(credential::Column::ExpiresAt).lt(expires_before.timestamp()))
                .and_where(of_state(state::Column::Status).eq(ConnectionStatus::Active.as_str()))
                .and_where(of_state(state::Column::LastUsedAt).gte(to_micros(used_since)))
                .and_where(may_retry)
                .clear_order_by()
                .order_by((credential::Entity, credential::Column::ExpiresAt), Order::Asc)
                .order_by((credential::Entity, credential::Column::Id), Order::Asc)
                .limit(limit);
        })
        .await
    }
}
