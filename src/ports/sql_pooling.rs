//! What is between this service and its database, as the configuration names it and the SQL store uses it.

/// How connections to the database map to sessions of its server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SqlPooling {
    /// Each connection has a session: no pooler is in between, or one in session mode.
    #[default]
    Sessions,
    /// Each transaction has a session: settings of a session would reach other clients. The pooler keeps the prepared
    /// statements of its clients apart.
    Transactions,
    /// As above, and the pooler does not keep prepared statements apart.
    TransactionsWithoutStatements,
}
