//! Lists of sessions: those of one subject, and all of them for an operator.

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, DbErr, Order, QueryResult,
    sea_query::{Expr, ExprTrait, JoinType, Query, SelectStatement, SimpleExpr},
};

use super::{
    columns::read_word,
    db_uuid::DbUuid,
    entity::{account, oauth_access_token as token, session},
    sql_store::SqlStore,
    timestamp::to_micros,
};
use crate::domain::{
    account::AccountStatus,
    error::Result,
    id::TokenId,
    page::{Page, PageRequest},
    session::Session,
    subject::Subject,
};

impl SqlStore {
    /// A page of the subject's live sessions, newest first, and whether its account is active (`true` for an external
    /// subject, which has no account). Two statements at most.
    pub async fn list_sessions(
        &self,
        subject: &Subject,
        page: PageRequest,
        now: DateTime<Utc>,
    ) -> Result<(bool, Page<Session>)> {
        let listed = self.owned_by(subject).and(is_live(now));
        let count = Query::select()
            .expr(Expr::col((token::Entity, token::Column::Id)).count())
            .from(token::Entity)
            .and_where(listed.clone())
            .take();
        let mut summary = Query::select();
        summary.expr_as(SimpleExpr::SubQuery(None, Box::new(count.into())), "total");
        if let Some(id) = subject.account_id() {
            summary
                .column(account::Column::Status)
                .from(account::Entity)
                .and_where(account::Column::Id.eq(self.id(id.0)));
        }
        let empty = |active| (active, Page { request: page, total: 0, data: Vec::new() });
        let Some(row) = self.query_one(&summary).await? else { return Ok(empty(false)) };
        let active = subject.account_id().is_none() || read_word(&row, "status")?.is(AccountStatus::Active);
        let total = u64::try_from(row.try_get_by::<i64, _>("total")?).unwrap_or(0);
        if !active || total == 0 {
            return Ok(empty(active));
        }
        let mut data = Vec::new();
        if page.offset() < total {
            let mut select = select_sessions();
            select.and_where(listed).limit(u64::from(page.limit)).offset(page.offset());
            data = self.query_all(&select).await?.iter().map(read_session).collect::<Result<_, _>>()?;
        }
        Ok((active, Page { request: page, total, data }))
    }

    /// One of the subject's live sessions.
    pub async fn find_session(&self, subject: &Subject, id: TokenId, now: DateTime<Utc>) -> Result<Option<Session>> {
        let mut select = select_sessions();
        select.and_where(Expr::col((token::Entity, token::Column::Id)).eq(self.id(id.0)));
        select.and_where(self.owned_by(subject).and(is_live(now)));
        Ok(self.query_one(&select).await?.as_ref().map(read_session).transpose()?)
    }

    /// Live sessions with the email addresses of their subjects, newest first; of one account or client when given.
    pub async fn list_all_sessions(
        &self,
        account_email: Option<&str>,
        client: Option<&str>,
        limit: u64,
        now: DateTime<Utc>,
    ) -> Result<Vec<(String, Session)>> {
        let mut select = select_sessions();
        select.column((token::Entity, token::Column::SubjectEmail)).and_where(is_live(now)).limit(limit);
        if let Some(email) = account_email {
            select.and_where(self.of_account_with_email(email));
        }
        if let Some(client) = client {
            select.and_where(self.is_exactly(token::Column::ClientId, client));
        }
        let rows = self.query_all(&select).await?;
        let read = |row: &QueryResult| Ok((row.try_get_by("subject_email")?, read_session(row)?));
        Ok(rows.iter().map(read).collect::<Result<_, DbErr>>()?)
    }

    /// Whether a session belongs to the subject. Ended sessions count.
    pub async fn owns_session(&self, subject: &Subject, id: TokenId) -> Result<bool> {
        let select = Query::select()
            .column((token::Entity, token::Column::Id))
            .from(token::Entity)
            .and_where(token::Column::Id.eq(self.id(id.0)).and(self.owned_by(subject)))
            .take();
        Ok(self.query_one(&select).await?.is_some())
    }

    /// The condition that a token belongs to a subject (contract section 6): the same account, or no account and the
    /// same email address and issuer.
    pub(super) fn owned_by(&self, subject: &Subject) -> SimpleExpr {
        match subject {
            Subject::Account { id, .. } => token::Column::AccountId.eq(self.id(id.0)),
            Subject::ExternalSso { email, issuer } => token::Column::AccountId
                .is_null()
                .and(self.is_exactly(token::Column::SubjectEmail, email))
                .and(self.is_exactly(token::Column::SubjectIssuer, issuer)),
        }
    }

    /// The condition that a token belongs to the account with this email address.
    pub(super) fn of_account_with_email(&self, email: &str) -> SimpleExpr {
        let accounts = Query::select()
            .column((account::Entity, account::Column::Id))
            .from(account::Entity)
            .and_where(self.has_email(email))
            .take();
        token::Column::AccountId.in_subquery(accounts)
    }
}

/// The condition that a token is neither revoked nor expired.
pub(super) fn is_live(now: DateTime<Utc>) -> SimpleExpr {
    token::Column::RevokedAt
        .is_null()
        .and(token::Column::ExpiresAt.gt(to_micros(now)))
        .and(token::Column::TokenHash.is_not_null())
}

fn select_sessions() -> SelectStatement {
    let column = |column| (token::Entity, column);
    // When Dify rotates a token it changes `created_at`, and the prefix in `openapi_sessions` is no longer the token's.
    let same_token = Expr::col((session::Entity, session::Column::TokenId))
        .equals(column(token::Column::Id))
        .and(Expr::col((session::Entity, session::Column::CreatedAt)).equals(column(token::Column::CreatedAt)));
    Query::select()
        .columns([
            column(token::Column::Id),
            column(token::Column::Prefix),
            column(token::Column::ClientId),
            column(token::Column::DeviceLabel),
            column(token::Column::CreatedAt),
            column(token::Column::LastUsedAt),
            column(token::Column::ExpiresAt),
        ])
        .expr_as(Expr::col((session::Entity, session::Column::Prefix)), "display_prefix")
        .columns(
            [
                session::Column::Name,
                session::Column::CreatedIp,
                session::Column::UserAgent,
                session::Column::LastIp,
                session::Column::LastUserAgent,
            ]
            .map(|column| (session::Entity, column)),
        )
        .from(token::Entity)
        .join(JoinType::LeftJoin, session::Entity, same_token)
        .order_by(column(token::Column::CreatedAt), Order::Desc)
        .order_by(column(token::Column::Id), Order::Asc)
        .take()
}

fn read_session(row: &QueryResult) -> Result<Session, DbErr> {
    let display_prefix: Option<String> = row.try_get_by("display_prefix")?;
    let name: Option<String> = row.try_get_by("name")?;
    let created_ip: Option<String> = row.try_get_by("created_ip")?;
    Ok(Session {
        id: TokenId(row.try_get_by::<DbUuid, _>("id")?.uuid()),
        prefix: display_prefix.map_or_else(|| row.try_get_by("prefix"), Ok)?,
        client_id: row.try_get_by("client_id")?,
        device_label: name.map_or_else(|| row.try_get_by("device_label"), Ok)?,
        created_at: row.try_get_by("created_at")?,
        last_used_at: row.try_get_by("last_used_at")?,
        expires_at: row.try_get_by("expires_at")?,
        created_ip: created_ip.filter(|address| !address.is_empty()),
        user_agent: row.try_get_by("user_agent")?,
        last_ip: row.try_get_by("last_ip")?,
        last_user_agent: row.try_get_by("last_user_agent")?,
    })
}
