//! UUIDs in the columns: native on PostgreSQL, 36 characters of text on SQLite and MySQL.

use sea_orm::{
    ColIdx, ColumnType, DbErr, QueryResult, TryGetError, TryGetable, Value,
    sea_query::{ArrayType, Nullable, ValueType, ValueTypeErr},
};
use uuid::Uuid;

/// A UUID with the representation it is bound in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DbUuid {
    /// PostgreSQL's `uuid`.
    Native(Uuid),
    /// Lower-case hyphenated text.
    Text(Uuid),
}

impl DbUuid {
    pub fn uuid(self) -> Uuid {
        match self {
            Self::Native(uuid) | Self::Text(uuid) => uuid,
        }
    }
}

impl From<DbUuid> for Value {
    fn from(id: DbUuid) -> Self {
        match id {
            DbUuid::Native(uuid) => uuid.into(),
            DbUuid::Text(uuid) => uuid.hyphenated().to_string().into(),
        }
    }
}

impl TryGetable for DbUuid {
    fn try_get_by<I: ColIdx>(row: &QueryResult, index: I) -> Result<Self, TryGetError> {
        if row.try_as_pg_row().is_some() {
            return Uuid::try_get_by(row, index).map(Self::Native);
        }
        let text = String::try_get_by(row, index)?;
        Uuid::try_parse(&text)
            .map(Self::Text)
            .map_err(|cause| DbErr::Type(format!("a column of UUIDs holds something else: {cause}")).into())
    }
}

impl ValueType for DbUuid {
    fn try_from(value: Value) -> Result<Self, ValueTypeErr> {
        match value {
            Value::Uuid(Some(uuid)) => Ok(Self::Native(uuid)),
            Value::String(Some(text)) => Uuid::try_parse(&text).map(Self::Text).map_err(|_| ValueTypeErr),
            _ => Err(ValueTypeErr),
        }
    }

    fn type_name() -> String {
        "DbUuid".to_owned()
    }

    fn array_type() -> ArrayType {
        ArrayType::Uuid
    }

    fn column_type() -> ColumnType {
        ColumnType::Uuid
    }
}

impl Nullable for DbUuid {
    /// A null of type `uuid`. SQLite and MySQL accept it for any column.
    fn null() -> Value {
        Value::Uuid(None)
    }
}

impl sea_orm::TryFromU64 for DbUuid {
    fn try_from_u64(_: u64) -> Result<Self, DbErr> {
        Err(DbErr::ConvertFromU64("DbUuid"))
    }
}
