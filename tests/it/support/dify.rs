//! A database created by Dify, and what Dify does beside this service: its cookies, its rows, its cache.

use std::{ops::Deref, path::PathBuf, process::Command, sync::OnceLock};

use dify_openapi::testing::{
    domain::{Secret, SubjectType},
    ports::Clock as _,
    store::{SqlOptions, SqlStore},
};
use jsonwebtoken::{EncodingKey, Header, encode};
use sea_orm::{ConnectionTrait as _, Database};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::{Bearer, Browser, Stores, TestServer, database};

/// The key that the database was created with.
pub const SECRET_KEY: &str = "sk-difyref-q8Zr1vYwT0m5uJx3nKc7bPd9sLf2hGa4eWiX";
/// The owner of "Acme Inc." and a member of "Beta Labs".
pub const ALICE: &str = "alice@example.com";
/// Alice's account.
pub const ALICE_ID: &str = "43f8d6b6-4f80-5344-8182-b81bc18f6743";
/// The owner of "Beta Labs".
pub const BOB: &str = "bob@example.com";
/// Bob's account.
pub const BOB_ID: &str = "a17e4990-eb31-5d4a-82ae-8b130f43d221";
/// The newest time in the dump. Expiries are moved by the time since then, so that active sessions stay active in
/// tests.
const DUMP_TIME: &str = "2026-11-21 00:26:05+00";

/// A server on a database of Dify.
pub struct Dify(pub TestServer);

impl Deref for Dify {
    type Target = TestServer;

    fn deref(&self) -> &TestServer {
        &self.0
    }
}

impl Dify {
    /// Starts a server on a copy of the database; `None` with a message when something is missing for that.
    pub async fn start() -> Option<Self> {
        Self::start_with(&[]).await
    }

    /// Like `start`, with variables.
    pub async fn start_with(variables: &[(&str, &str)]) -> Option<Self> {
        let stores = restored_database().await?;
        migrate(&stores).await;
        Some(Self::on(stores, variables).await)
    }

    /// Starts a server on a migrated database.
    pub async fn on(stores: Stores, variables: &[(&str, &str)]) -> Self {
        let variables: Vec<_> = [("SECRET_KEY", SECRET_KEY)].iter().chain(variables).copied().collect();
        Self(TestServer::start_prepared(stores, &variables).await)
    }

    /// The claims of Dify's `access_token` for an account.
    pub fn access_claims(&self, account: &str) -> Value {
        let exp = self.clock.now().timestamp() + 3_600;
        json!({"user_id": account, "exp": exp, "iss": "SELF_HOSTED", "sub": "Console API Passport"})
    }

    /// The claims of Dify's `csrf_token` for an account.
    pub fn csrf_claims(&self, account: &str) -> Value {
        json!({"exp": self.clock.now().timestamp() + 3_600, "sub": account})
    }

    /// A browser with the cookies of Dify's console for an account.
    pub fn browser(&self, account: &str) -> Browser {
        let (access, csrf) = (self.access_claims(account), self.csrf_claims(account));
        self.browser_with(&signed(&access, SECRET_KEY), &signed(&csrf, SECRET_KEY))
    }

    /// A browser with these two cookies.
    pub fn browser_with(&self, access_token: &str, csrf_token: &str) -> Browser {
        let mut browser = Browser::anonymous(self);
        for (name, value) in [("access_token", access_token), ("csrf_token", csrf_token)] {
            browser.cookies.insert(name.to_owned(), value.to_owned());
        }
        browser
    }

    /// Issues a token to an account in the way of Dify, by writing its row.
    pub async fn issue_token(&self, account: &str, email: &str, label: &str) -> Bearer {
        self.issue_token_for(account, email, label, 86_400).await
    }

    /// Like `issue_token`, with a lifetime in seconds.
    pub async fn issue_token_for(&self, account: &str, email: &str, label: &str, expires_in: i64) -> Bearer {
        let row = database::TokenRow {
            subject_type: SubjectType::Account,
            account_id: Some(account),
            email,
            label,
            expires_in,
            revoked: false,
        };
        let (token, id) = database::insert_token(self, &row).await;
        Bearer::with_token(self, &token, &id)
    }

    /// A row as JSON.
    pub async fn row(&self, table: &str, id: &str) -> Value {
        let query = format!("SELECT row_to_json(t)::text FROM {table} t WHERE id = '{id}'");
        serde_json::from_str(&database::text(self, &query).await.unwrap()).unwrap()
    }
}

/// A JWT signed in the way of Dify.
pub fn signed(claims: &Value, key: &str) -> String {
    encode(&Header::default(), claims, &EncodingKey::from_secret(key.as_bytes())).unwrap()
}

/// A copy of Dify's database, not yet migrated by this service.
pub async fn restored_database() -> Option<Stores> {
    static TEMPLATE: OnceCell<Option<String>> = OnceCell::const_new();
    let template = TEMPLATE.get_or_init(restore).await.as_deref()?;
    Stores::servers_from(template).await
}

/// Adds the tables of this service to a database of Dify.
pub async fn migrate(stores: &Stores) {
    let sql = SqlStore::connect(SqlOptions::new(Secret::new(url(stores)), 2, super::server::keys())).await.unwrap();
    assert!(sql.is_dify_database().await.unwrap());
    sql.migrate_up(true).await.unwrap();
    sql.close().await.unwrap();
}

/// The database URL of a copy.
pub fn url(stores: &Stores) -> &str {
    match stores {
        Stores::Servers { database, .. } => database,
        Stores::Sqlite => panic!("Dify does not use SQLite"),
    }
}

/// Restores the dump once, into a database that each test copies. Returns its name.
async fn restore() -> Option<String> {
    let dump = dump()?;
    let stores = Stores::servers().await?;
    let output =
        Command::new("pg_restore").args(["--no-owner", "--exit-on-error", "-d", url(&stores)]).arg(dump).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let connection = Database::connect(url(&stores)).await.unwrap();
    let today = format!("UPDATE oauth_access_tokens SET expires_at = expires_at + (now() - timestamptz '{DUMP_TIME}')");
    connection.execute_unprepared(&today).await.unwrap();
    connection.close().await.unwrap();
    Some(url(&stores).rsplit_once('/').unwrap().1.to_owned())
}

/// The dump file: `DIFY_DUMP`, or else the one beside the checkout. `None` when it or `pg_restore` is missing.
fn dump() -> Option<&'static PathBuf> {
    static DUMP: OnceLock<Option<PathBuf>> = OnceLock::new();
    DUMP.get_or_init(|| {
        let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/dify-database/dify_seeded.dump");
        let dump = std::env::var_os("DIFY_DUMP").map_or_else(beside, PathBuf::from);
        if !dump.is_file() {
            eprintln!("no {}: tests beside Dify are skipped (DIFY_DUMP sets another path)", dump.display());
            return None;
        }
        if Command::new("pg_restore").arg("--version").output().is_err() {
            eprintln!("no pg_restore: tests beside Dify are skipped");
            return None;
        }
        Some(dump)
    })
    .as_ref()
}
