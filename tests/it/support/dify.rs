//! A database that Dify made, and what Dify itself would do beside this service: its cookies, its rows, its cache.

use std::{ops::Deref, path::PathBuf, process::Command, sync::OnceLock};

use dify_openapi::testing::{
    domain::{secret::Secret, subject::SubjectType},
    ports::clock::Clock as _,
    store::sql::{SqlOptions, SqlStore},
};
use jsonwebtoken::{EncodingKey, Header, encode};
use sea_orm::{ConnectionTrait as _, Database};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::{Bearer, Browser, Stores, TestServer, database};

/// The key the database was made under.
pub const SECRET_KEY: &str = "sk-difyref-0123456789abcdefghijklmnopqrstuvwxyz";
/// The owner of "Acme Inc." and a member of "Beta Labs".
pub const ALICE: &str = "alice@example.com";
/// Her account.
pub const ALICE_ID: &str = "43f8d6b6-4f80-5344-8182-b81bc18f6743";
/// The owner of "Beta Labs".
pub const BOB: &str = "bob@example.com";
/// His account.
pub const BOB_ID: &str = "a17e4990-eb31-5d4a-82ae-8b130f43d221";
/// The newest moment in the dump: sessions that were live then are live in the tests, whenever those run.
const DUMP_TIME: &str = "2026-11-21 00:26:05+00";

/// A server beside Dify.
pub struct Dify(pub TestServer);

impl Deref for Dify {
    type Target = TestServer;

    fn deref(&self) -> &TestServer {
        &self.0
    }
}

impl Dify {
    /// On a copy of the database of its own; `None`, said aloud, where something is missing for that.
    pub async fn start() -> Option<Self> {
        Self::start_with(&[]).await
    }

    /// The same with some variables set.
    pub async fn start_with(variables: &[(&str, &str)]) -> Option<Self> {
        let stores = restored_database().await?;
        migrate(&stores).await;
        Some(Self::on(stores, variables).await)
    }

    /// On a database that is migrated already.
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

    /// A browser in which an account has signed in to Dify's console.
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

    /// A token that Dify has issued to an account, by the row it writes.
    pub async fn issue_token(&self, account: &str, email: &str, label: &str) -> Bearer {
        self.issue_token_for(account, email, label, 86_400).await
    }

    /// The same with its lifetime in seconds.
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

/// A JWT as Dify signs its own.
pub fn signed(claims: &Value, key: &str) -> String {
    encode(&Header::default(), claims, &EncodingKey::from_secret(key.as_bytes())).unwrap()
}

/// A fresh copy of Dify's database, on which nothing of this service has been.
pub async fn restored_database() -> Option<Stores> {
    static TEMPLATE: OnceCell<Option<String>> = OnceCell::const_new();
    let template = TEMPLATE.get_or_init(restore).await.as_deref()?;
    Stores::servers_from(template).await
}

/// What this service adds to a database of Dify's.
pub async fn migrate(stores: &Stores) {
    let sql = SqlStore::connect(SqlOptions { url: Secret::new(url(stores)), max_connections: 2 }).await.unwrap();
    assert!(sql.is_dify_database().await.unwrap());
    sql.migrate_up(true).await.unwrap();
    sql.close().await.unwrap();
}

/// Where a copy is.
pub fn url(stores: &Stores) -> &str {
    match stores {
        Stores::Servers { database, .. } => database,
        Stores::Sqlite => panic!("Dify keeps no SQLite"),
    }
}

/// Restores the dump once, into a database that is copied for each test. Its name.
async fn restore() -> Option<String> {
    let dump = dump()?;
    let stores = Stores::servers().await?;
    let done =
        Command::new("pg_restore").args(["--no-owner", "--exit-on-error", "-d", url(&stores)]).arg(dump).output();
    let done = done.unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let connection = Database::connect(url(&stores)).await.unwrap();
    let today = format!("UPDATE oauth_access_tokens SET expires_at = expires_at + (now() - timestamptz '{DUMP_TIME}')");
    connection.execute_unprepared(&today).await.unwrap();
    connection.close().await.unwrap();
    Some(url(&stores).rsplit_once('/').unwrap().1.to_owned())
}

/// `DIFY_DUMP`, else the one beside the checkout, and the program that restores it.
fn dump() -> Option<&'static PathBuf> {
    static DUMP: OnceLock<Option<PathBuf>> = OnceLock::new();
    DUMP.get_or_init(|| {
        let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/dify-database/dify_seeded.dump");
        let dump = std::env::var_os("DIFY_DUMP").map_or_else(beside, PathBuf::from);
        if !dump.is_file() {
            eprintln!("no {}: nothing is tested beside Dify (DIFY_DUMP names another dump)", dump.display());
            return None;
        }
        if Command::new("pg_restore").arg("--version").output().is_err() {
            eprintln!("no pg_restore: nothing is tested beside Dify");
            return None;
        }
        Some(dump)
    })
    .as_ref()
}
