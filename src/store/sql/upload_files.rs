//! Files that callers uploaded. Their contents are in the file store.

use chrono::NaiveDateTime;
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, DbErr, EntityTrait, ExprTrait as _, QueryResult,
    sea_query::{Expr, JoinType, Query, SelectStatement},
};

use uuid::Uuid;

use super::{
    db_uuid::DbUuid,
    entity::{
        end_user,
        upload_file::{self, Column},
    },
    error::SqlError,
    retry::with_retries,
    sql_store::{MAX_ROWS_PER_STATEMENT, SqlStore},
    timestamp::naive_utc,
};
use crate::domain::{
    conversation::EndUser,
    error::Result,
    file::uploaded::{FileOwner, UploadedFile, Uploader},
    id::{AccountId, EndUserId, FileId, WorkspaceId},
};

/// Dify's values of `created_by_role`.
const ACCOUNT: &str = "account";
const END_USER: &str = "end_user";

impl SqlStore {
    /// Writes the row of a file, and the row of the external identity that uploaded it.
    pub async fn insert_file(&self, file: &UploadedFile, end_user: Option<&EndUser>) -> Result<()> {
        self.call("TRANSACTION", with_retries(|| self.try_insert_file(file, end_user))).await
    }

    async fn try_insert_file(&self, file: &UploadedFile, end_user: Option<&EndUser>) -> Result<(), SqlError> {
        let transaction = self.begin().await?;
        if let Some(end_user) = end_user {
            self.insert_end_user(&transaction, end_user, file.created_at).await?;
        }
        let (created_by, role) = creator(file.owner);
        let row = upload_file::ActiveModel {
            id: Set(self.id(file.id.0)),
            tenant_id: Set(self.id(file.workspace_id.0)),
            storage_type: Set(file.storage_type.clone()),
            key: Set(file.key.clone()),
            name: Set(file.name.clone()),
            size: Set(i32::try_from(file.size).unwrap_or(i32::MAX)),
            extension: Set(file.extension.clone()),
            mime_type: Set(Some(file.media_type.clone())),
            created_by: Set(self.id(created_by)),
            created_at: Set(naive_utc(file.created_at)),
            used: Set(false),
            created_by_role: Set(role.to_owned()),
            source_url: Set(String::new()),
        };
        upload_file::Entity::insert(row).exec_without_returning(&transaction).await?;
        transaction.commit().await?;
        Ok(())
    }

    pub async fn find_file(&self, id: FileId) -> Result<Option<UploadedFile>> {
        let select = select_files().and_where(Column::Id.eq(self.id(id.0))).take();
        Ok(self.query_one(&select).await?.map(|row| read_file(&row)).transpose()?)
    }

    /// Those of these files that belong to a workspace and an uploader.
    pub async fn find_files(
        &self,
        ids: &[FileId],
        workspace: WorkspaceId,
        uploader: &Uploader,
    ) -> Result<Vec<UploadedFile>> {
        let mut of_uploader = select_files();
        of_uploader.and_where(file_column(Column::TenantId).eq(self.id(workspace.0)));
        match uploader {
            Uploader::Owner(owner) => {
                let (created_by, role) = creator(*owner);
                of_uploader.and_where(file_column(Column::CreatedBy).eq(self.id(created_by)));
                of_uploader.and_where(file_column(Column::CreatedByRole).eq(role));
            }
            Uploader::Forwarded(user) => {
                let end_user = |column| Expr::col((end_user::Entity, column));
                let creator = end_user(end_user::Column::Id).equals((upload_file::Entity, Column::CreatedBy));
                of_uploader.join(JoinType::InnerJoin, end_user::Entity, creator);
                of_uploader.and_where(end_user(end_user::Column::SessionId).eq(user.as_str()));
            }
        }
        let mut found = Vec::new();
        for ids in ids.chunks(MAX_ROWS_PER_STATEMENT) {
            let ids = ids.iter().map(|id| self.id(id.0));
            let select = of_uploader.clone().and_where(file_column(Column::Id).is_in(ids)).take();
            for row in self.query_all(&select).await? {
                found.push(read_file(&row)?);
            }
        }
        Ok(found)
    }
}

/// Dify's values of `created_by` and `created_by_role`.
fn creator(owner: FileOwner) -> (Uuid, &'static str) {
    match owner {
        FileOwner::Account(account) => (account.0, ACCOUNT),
        FileOwner::EndUser(user) => (user.0, END_USER),
    }
}

fn file_column(column: Column) -> Expr {
    Expr::col((upload_file::Entity, column))
}

fn select_files() -> SelectStatement {
    let columns = [
        Column::Id,
        Column::TenantId,
        Column::StorageType,
        Column::Key,
        Column::Name,
        Column::Size,
        Column::Extension,
        Column::MimeType,
        Column::CreatedBy,
        Column::CreatedAt,
        Column::CreatedByRole,
    ];
    Query::select().columns(columns.map(|column| (upload_file::Entity, column))).from(upload_file::Entity).take()
}

fn read_file(row: &QueryResult) -> Result<UploadedFile, DbErr> {
    let created_by = row.try_get_by::<DbUuid, _>("created_by")?.uuid();
    let role: String = row.try_get_by("created_by_role")?;
    Ok(UploadedFile {
        id: FileId(row.try_get_by::<DbUuid, _>("id")?.uuid()),
        workspace_id: WorkspaceId(row.try_get_by::<DbUuid, _>("tenant_id")?.uuid()),
        storage_type: row.try_get_by("storage_type")?,
        key: row.try_get_by("key")?,
        name: row.try_get_by("name")?,
        size: u64::try_from(row.try_get_by::<i32, _>("size")?).unwrap_or_default(),
        extension: row.try_get_by("extension")?,
        media_type: row.try_get_by::<Option<String>, _>("mime_type")?.unwrap_or_default(),
        owner: if role == ACCOUNT {
            FileOwner::Account(AccountId(created_by))
        } else {
            FileOwner::EndUser(EndUserId(created_by))
        },
        created_at: row.try_get_by::<NaiveDateTime, _>("created_at")?.and_utc(),
    })
}
