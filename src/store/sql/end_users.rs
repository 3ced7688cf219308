//! End users: callers as Dify's app data identifies them.

use chrono::{DateTime, Utc};
use sea_orm::{ActiveValue::Set, ConnectionTrait, DbErr, EntityTrait, sea_query::OnConflict};

use super::{entity::end_user, sql_store::SqlStore, timestamp::naive_utc};
use crate::domain::conversation::EndUser;

/// Dify's type for callers of its service API.
const SERVICE_API_TYPE: &str = "service_api";
/// The type of external identities (contract section E4).
const EXTERNAL_TYPE: &str = "openapi";

impl SqlStore {
    /// Inserts the end user unless the row exists. The id is derived from app and caller, so that concurrent first runs
    /// insert one row.
    pub(super) async fn insert_end_user(
        &self,
        connection: &impl ConnectionTrait,
        user: &EndUser,
        now: DateTime<Utc>,
    ) -> Result<(), DbErr> {
        let row = end_user::ActiveModel {
            id: Set(self.id(user.id().0)),
            tenant_id: Set(self.id(user.workspace_id.0)),
            app_id: Set(Some(self.id(user.app_id.0))),
            r#type: Set(if user.issuer.is_some() { EXTERNAL_TYPE } else { SERVICE_API_TYPE }.to_owned()),
            external_user_id: Set(Some(user.user.clone())),
            name: Set(None),
            is_anonymous: Set(false),
            session_id: Set(user.user.clone()),
            created_at: Set(naive_utc(now)),
            updated_at: Set(naive_utc(now)),
        };
        let on_conflict = OnConflict::column(end_user::Column::Id).do_nothing_on([end_user::Column::Id]).to_owned();
        end_user::Entity::insert(row).on_conflict(on_conflict).exec_without_returning(connection).await.map(|_| ())
    }
}
