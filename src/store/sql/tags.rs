//! Tags of apps, as the members of a workspace manage them. Every change locks the workspace and its actor's
//! membership.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, Order, QueryFilter,
    sea_query::{Expr, ExprTrait as _, JoinType, Query, SelectStatement},
};
use uuid::Uuid;

use super::{
    db_uuid::DbUuid,
    entity::{app, tag, tag_binding as binding},
    error::SqlError,
    not_found::app_not_found,
    sql_store::SqlStore,
    timestamp::naive_utc,
};
use crate::domain::{
    app::tag::{AppTag, MAX_TAGS, MAX_TAGS_OF_APP, Tag},
    error::{Code, Error, Result},
    id::{AccountId, AppId, TagId, WorkspaceId},
    member::{Actor, RequiredRole},
};

/// `tags.type` of the tags of apps. Dify has others for what this service does not have.
const TYPE: &str = "app";

impl SqlStore {
    /// The tags of a workspace, newest first.
    pub async fn list_tags(&self, workspace: WorkspaceId) -> Result<Vec<Tag>> {
        let column = |column| (tag::Entity, column);
        let joins = Expr::col((binding::Entity, binding::Column::TagId)).equals((tag::Entity, tag::Column::Id));
        let select = self
            .tags_of(workspace)
            .columns([column(tag::Column::Id), column(tag::Column::Name)])
            .expr_as(Expr::col((binding::Entity, binding::Column::Id)).count(), "apps")
            .join(JoinType::LeftJoin, binding::Entity, joins)
            .group_by_col(column(tag::Column::Id))
            .order_by(column(tag::Column::CreatedAt), Order::Desc)
            .order_by(column(tag::Column::Id), Order::Asc)
            .limit(2 * MAX_TAGS)
            .take();
        let rows = self.query_all(&select).await?;
        let read = |row: &sea_orm::QueryResult| {
            Ok::<_, Error>(Tag {
                id: TagId(row.try_get_by::<DbUuid, _>("id")?.uuid()),
                name: row.try_get_by("name")?,
                apps: u64::try_from(row.try_get_by::<i64, _>("apps")?).unwrap_or(0),
            })
        };
        rows.iter().map(read).collect()
    }

    fn tags_of(&self, workspace: WorkspaceId) -> SelectStatement {
        Query::select()
            .from(tag::Entity)
            .and_where(Expr::col((tag::Entity, tag::Column::TenantId)).eq(self.id(workspace.0)))
            .and_where(Expr::col((tag::Entity, tag::Column::Type)).eq(TYPE))
            .take()
    }

    /// The tags of these apps of a workspace, by name.
    pub(super) async fn tags_of_apps(
        &self,
        workspace: WorkspaceId,
        apps: Vec<DbUuid>,
    ) -> Result<HashMap<AppId, Vec<AppTag>>> {
        let mut found: HashMap<AppId, Vec<AppTag>> = HashMap::new();
        if apps.is_empty() {
            return Ok(found);
        }
        let joins = Expr::col((binding::Entity, binding::Column::TagId)).equals((tag::Entity, tag::Column::Id));
        let select = self
            .tags_of(workspace)
            .columns([(tag::Entity, tag::Column::Id), (tag::Entity, tag::Column::Name)])
            .column((binding::Entity, binding::Column::TargetId))
            .join(JoinType::InnerJoin, binding::Entity, joins)
            .and_where(Expr::col((binding::Entity, binding::Column::TargetId)).is_in(apps))
            .order_by((tag::Entity, tag::Column::Name), Order::Asc)
            .order_by((tag::Entity, tag::Column::Id), Order::Asc)
            .take();
        for row in self.query_all(&select).await? {
            let app = AppId(row.try_get_by::<DbUuid, _>("target_id")?.uuid());
            let id = TagId(row.try_get_by::<DbUuid, _>("id")?.uuid());
            let tags = found.entry(app).or_default();
            if tags.iter().all(|tag| tag.id != id) {
                tags.push(AppTag { id, name: row.try_get_by("name")? });
            }
        }
        Ok(found)
    }

    /// Creates a tag. Fails with `forbidden` for a member who is no editor, with `already_exists` for a name that
    /// another tag has, and with `invalid_request` for one tag too many.
    pub async fn create_tag(
        &self,
        workspace: WorkspaceId,
        name: &str,
        by: AccountId,
        now: DateTime<Utc>,
    ) -> Result<TagId> {
        let create = async {
            let transaction = self.lock_for_tags(workspace, by).await?;
            let same = self.tags_of(workspace).column((tag::Entity, tag::Column::Id)).take();
            let same = same.clone().and_where(self.is_exactly(tag::Column::Name, name)).limit(1).take();
            if transaction.query_one(&same).await?.is_some() {
                return Err(Error::new(Code::AlreadyExists, "Another tag of the workspace has this name.").into());
            }
            let count =
                self.tags_of(workspace).expr_as(Expr::col((tag::Entity, tag::Column::Id)).count(), "total").take();
            if read_total(&transaction, &count).await? >= MAX_TAGS {
                return Err(Error::new(Code::InvalidRequest, format!("A workspace has at most {MAX_TAGS} tags."))
                    .with_hint("Delete one that is not used.")
                    .into());
            }
            let id = Uuid::new_v4();
            let row = tag::ActiveModel {
                id: Set(self.id(id)),
                tenant_id: Set(Some(self.id(workspace.0))),
                r#type: Set(TYPE.to_owned()),
                name: Set(name.to_owned()),
                created_by: Set(self.id(by.0)),
                created_at: Set(naive_utc(now)),
            };
            tag::Entity::insert(row).exec_without_returning(&transaction).await?;
            transaction.commit().await?;
            Ok::<_, SqlError>(TagId(id))
        };
        self.call("TRANSACTION", create).await
    }

    /// Deletes a tag, also from its apps. Fails with `not_found` and `forbidden`.
    pub async fn delete_tag(&self, workspace: WorkspaceId, tag: TagId, by: AccountId) -> Result<()> {
        let delete = async {
            let transaction = self.lock_for_tags(workspace, by).await?;
            let deleted = tag::Entity::delete_many()
                .filter(tag::Column::Id.eq(self.id(tag.0)))
                .filter(tag::Column::TenantId.eq(self.id(workspace.0)))
                .filter(tag::Column::Type.eq(TYPE))
                .exec(&transaction)
                .await?;
            if deleted.rows_affected == 0 {
                return Err(tag_not_found().into());
            }
            binding::Entity::delete_many().filter(binding::Column::TagId.eq(self.id(tag.0))).exec(&transaction).await?;
            Ok::<_, SqlError>(transaction.commit().await?)
        };
        self.call("TRANSACTION", delete).await
    }

    /// Gives tags to an app; those that it has stay. Fails with `not_found` for an app and for a tag that the workspace
    /// does not have, with `forbidden`, and with `invalid_request` for one tag too many.
    pub async fn bind_tags(
        &self,
        workspace: WorkspaceId,
        app: AppId,
        tags: &BTreeSet<TagId>,
        by: AccountId,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let bind = async {
            let transaction = self.lock_for_tags(workspace, by).await?;
            self.require_app(&transaction, workspace, app).await?;
            let known = self
                .tags_of(workspace)
                .expr_as(Expr::col((tag::Entity, tag::Column::Id)).count(), "total")
                .and_where(Expr::col((tag::Entity, tag::Column::Id)).is_in(self.tag_ids(tags)))
                .take();
            if read_total(&transaction, &known).await? != tags.len() as u64 {
                return Err(tag_not_found().into());
            }
            let of_app = Query::select()
                .column(binding::Column::TagId)
                .from(binding::Entity)
                .and_where(binding::Column::TargetId.eq(self.id(app.0)))
                .take();
            let mut bound = BTreeSet::new();
            for row in transaction.query_all(&of_app).await? {
                bound.extend(row.try_get_by::<Option<DbUuid>, _>("tag_id")?.map(|id| TagId(id.uuid())));
            }
            let new: Vec<_> = tags.difference(&bound).copied().collect();
            if bound.len() + new.len() > MAX_TAGS_OF_APP {
                let message = format!("An app has at most {MAX_TAGS_OF_APP} tags.");
                return Err(Error::new(Code::InvalidRequest, message).into());
            }
            let rows = new.into_iter().map(|tag| binding::ActiveModel {
                id: Set(self.id(Uuid::new_v4())),
                tenant_id: Set(Some(self.id(workspace.0))),
                tag_id: Set(Some(self.id(tag.0))),
                target_id: Set(Some(self.id(app.0))),
                created_by: Set(self.id(by.0)),
                created_at: Set(naive_utc(now)),
            });
            let rows: Vec<_> = rows.collect();
            if !rows.is_empty() {
                binding::Entity::insert_many(rows).exec_without_returning(&transaction).await?;
            }
            Ok::<_, SqlError>(transaction.commit().await?)
        };
        self.call("TRANSACTION", bind).await
    }

    /// Takes tags from an app; those that it does not have are ignored. Fails with `not_found` and `forbidden`.
    pub async fn unbind_tags(
        &self,
        workspace: WorkspaceId,
        app: AppId,
        tags: &BTreeSet<TagId>,
        by: AccountId,
    ) -> Result<()> {
        let unbind = async {
            let transaction = self.lock_for_tags(workspace, by).await?;
            self.require_app(&transaction, workspace, app).await?;
            binding::Entity::delete_many()
                .filter(binding::Column::TargetId.eq(self.id(app.0)))
                .filter(binding::Column::TagId.is_in(self.tag_ids(tags)))
                .exec(&transaction)
                .await?;
            Ok::<_, SqlError>(transaction.commit().await?)
        };
        self.call("TRANSACTION", unbind).await
    }

    async fn lock_for_tags(&self, workspace: WorkspaceId, by: AccountId) -> Result<DatabaseTransaction, SqlError> {
        let transaction = self.begin().await?;
        self.lock_workspace(&transaction, self.id(workspace.0)).await?;
        self.lock_actor(&transaction, workspace, Actor::Member(by), RequiredRole::Editor).await?;
        Ok(transaction)
    }

    async fn require_app(
        &self,
        transaction: &DatabaseTransaction,
        workspace: WorkspaceId,
        app: AppId,
    ) -> Result<(), SqlError> {
        let select = Query::select()
            .column(app::Column::Id)
            .from(app::Entity)
            .and_where(app::Column::Id.eq(self.id(app.0)))
            .and_where(app::Column::TenantId.eq(self.id(workspace.0)))
            .take();
        match transaction.query_one(&select).await? {
            Some(_) => Ok(()),
            None => Err(app_not_found().into()),
        }
    }

    fn tag_ids(&self, tags: &BTreeSet<TagId>) -> Vec<DbUuid> {
        tags.iter().map(|tag| self.id(tag.0)).collect()
    }
}

/// The column `total` of the only row.
pub(super) async fn read_total(transaction: &DatabaseTransaction, count: &SelectStatement) -> Result<u64, SqlError> {
    let total = match transaction.query_one(count).await? {
        Some(row) => row.try_get_by::<i64, _>("total")?,
        None => 0,
    };
    Ok(u64::try_from(total).unwrap_or(0))
}

fn tag_not_found() -> Error {
    Error::not_found("There is no such tag.").with_hint("GET /console/api/tags lists the tags of the workspace.")
}
