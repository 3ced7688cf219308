//! Callers as an app's data knows them.

use chrono::{DateTime, Utc};
use sea_orm::{ActiveValue::Set, ConnectionTrait, DbErr, EntityTrait, sea_query::OnConflict};

use super::{SqlStore, entity::end_user, naive};
use crate::domain::conversation::EndUser;

/// Who comes through an API, in Dify's word.
const KIND: &str = "service_api";

impl SqlStore {
    /// Makes sure that a caller has a row. Its id follows from who it is, so that the primary key alone keeps it the only
    /// one, however many come first at once.
    pub(super) async fn keep_end_user(
        &self,
        connection: &impl ConnectionTrait,
        user: &EndUser,
        now: DateTime<Utc>,
    ) -> Result<(), DbErr> {
        let row = end_user::ActiveModel {
            id: Set(self.id(user.id().0)),
            tenant_id: Set(self.id(user.workspace_id.0)),
            app_id: Set(Some(self.id(user.app_id.0))),
            r#type: Set(KIND.to_owned()),
            external_user_id: Set(Some(user.user.clone())),
            name: Set(None),
            is_anonymous: Set(false),
            session_id: Set(user.user.clone()),
            created_at: Set(naive(now)),
            updated_at: Set(naive(now)),
        };
        let there = OnConflict::column(end_user::Column::Id).do_nothing_on([end_user::Column::Id]).to_owned();
        end_user::Entity::insert(row).on_conflict(there).exec_without_returning(connection).await.map(|_| ())
    }
}
