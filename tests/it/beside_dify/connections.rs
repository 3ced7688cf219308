//! Connections beside Dify: each side reads the rows of the other. Dify's side is its own cryptography in Python.

use std::{fs, ops::Deref, os::unix::fs::PermissionsExt as _, path::Path};

use dify_openapi::testing::ports::Clock as _;
use reqwest::Method;
use sea_orm::{ConnectionTrait as _, Database};
use serde_json::{Value, json};

use crate::{
    connections::{PROVIDER, Person, call_service, oauth_path, provider_path},
    support::{
        Answer, Dify, Stores, TestServer,
        database::{count, execute, text},
        dify::{self, ALICE_ID, BOB_ID, SECRET_KEY},
        python::Script,
        token_provider::{CLIENT_ID, CLIENT_SECRET, TokenProvider},
    },
};

/// The connections of a Dify database with a key pair that the test has made.
struct DifyConnections {
    dify: Dify,
    provider: TokenProvider,
    python: Script,
    public_key: String,
    private_key: String,
    /// Alice's current workspace.
    workspace: String,
    storage: tempfile::TempDir,
}

impl Deref for DifyConnections {
    type Target = TestServer;

    fn deref(&self) -> &TestServer {
        &self.dify
    }
}

fn result(answer: &Value) -> String {
    answer["result"].as_str().unwrap().to_owned()
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

impl DifyConnections {
    /// `None` with a message when something is missing for it.
    async fn start() -> Option<Self> {
        Self::start_after("SELECT 1").await
    }

    /// Like `start`, with a statement that changes Dify's schema before.
    async fn start_after(statement: &str) -> Option<Self> {
        let stores = dify::restored_database().await?;
        let connection = Database::connect(dify::url(&stores)).await.unwrap();
        connection.execute_unprepared(statement).await.unwrap();
        connection.close().await.unwrap();
        let mut python = Script::start("dify_credentials.py", &[])?;
        dify::migrate(&stores).await;
        let storage = tempfile::tempdir().unwrap();
        let provider = TokenProvider::start().await;
        let variables = [
            ("ENABLE_CONNECTIONS", "true"),
            ("OPENDAL_FS_ROOT", storage.path().to_str().unwrap()),
            ("HTTP_REQUEST_ALLOWED_NETWORKS", "127.0.0.0/8"),
        ];
        let dify = Dify::on(stores, &variables).await;
        let import = ["connection", "provider", "import", "-", "--key", PROVIDER];
        let imported = dify.command(&import, &provider.manifest());
        assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
        let query =
            format!("SELECT tenant_id::text FROM tenant_account_joins WHERE account_id = '{ALICE_ID}' AND current");
        let workspace = text(&dify, &query).await.unwrap();
        let pair = python.send(&json!({"do": "generate"}))["result"].clone();
        let [public_key, private_key] = ["public", "private"].map(|name| pair[name].as_str().unwrap().to_owned());
        let this = Self { dify, provider, python, public_key, private_key, workspace, storage };
        let update = "UPDATE tenants SET encrypt_public_key =";
        execute(&this, &format!("{update} {} WHERE id = '{}'", quoted(&this.public_key), this.workspace)).await;
        fs::create_dir_all(this.key_file().parent().unwrap()).unwrap();
        fs::write(this.key_file(), &this.private_key).unwrap();
        Some(this)
    }

    /// Where Dify keeps the private key.
    fn key_file(&self) -> std::path::PathBuf {
        self.storage.path().join("privkeys").join(&self.workspace).join("private.pem")
    }

    fn person(&self, account: &str) -> Person {
        Person { browser: self.dify.browser(account), provider: self.provider.clone() }
    }

    async fn with_client(&self) -> Person {
        let alice = self.person(ALICE_ID);
        let client = json!({"client_params": {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}});
        let (status, body) = alice.post(&provider_path("oauth/custom-client"), &client).await;
        assert_eq!(status, 200, "{body}");
        alice
    }

    async fn credentials(&self, id: &str) -> Answer {
        let body = json!({"tenant_id": self.workspace, "provider": PROVIDER, "credential_id": id});
        call_service(self, "credentials", &body).await
    }

    async fn values(&self, id: &str) -> Value {
        let answer = self.credentials(id).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()["values"].clone()
    }

    /// A column of a row that Dify reads as JSON.
    async fn stored(&self, table: &str, column: &str, condition: &str) -> Value {
        let query = format!("SELECT {column} FROM {table} WHERE {condition}");
        serde_json::from_str(&text(self, &query).await.unwrap()).unwrap()
    }

    fn encrypt(&mut self, text: &str) -> String {
        result(&self.python.send(&json!({"do": "encrypt", "public": self.public_key, "text": text})))
    }

    /// Decrypts as Dify.
    fn decrypt(&mut self, value: &Value) -> String {
        result(&self.python.send(&json!({"do": "decrypt", "private": self.private_key, "text": value})))
    }

    /// Stores a connection as Dify does. Returns its id.
    async fn insert(&self, name: &str, kind: &str, expires_at: i64, credentials: &Value) -> String {
        let id = uuid::Uuid::new_v4().to_string();
        let insert = format!(
            "INSERT INTO tool_builtin_providers (id, tenant_id, user_id, provider, name, credential_type, expires_at, \
             encrypted_credentials) VALUES ('{id}', '{}', '{ALICE_ID}', '{PROVIDER}', '{name}', '{kind}', {expires_at}, {})",
            self.workspace,
            quoted(&credentials.to_string())
        );
        execute(self, &insert).await;
        id
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dify_reads_what_this_service_writes() {
    let Some(mut server) = DifyConnections::start().await else { return };
    let mut alice = server.with_client().await;
    let client = server.stored("tool_oauth_tenant_clients", "encrypted_oauth_params", "enabled").await;
    assert_eq!(client["client_id"], CLIENT_ID, "only secrets are encrypted");
    assert_eq!(server.decrypt(&client["client_secret"]), CLIENT_SECRET);
    let row = "plugin_id = 'acme/tools' AND provider = 'stand-in'";
    assert_eq!(count(&server, &format!("tool_oauth_tenant_clients WHERE {row}")).await, 1);

    let oauth = alice.connect().await;
    let values = server.values(&oauth).await;
    let id = format!("id = '{oauth}' AND credential_type = 'oauth2' AND tenant_id = '{}'", server.workspace);
    let stored = server.stored("tool_builtin_providers", "encrypted_credentials", &id).await;
    for name in ["access_token", "refresh_token"] {
        assert_eq!(server.decrypt(&stored[name]), values[name].as_str().unwrap(), "{name}");
    }
    let key = json!({"credentials": {"api_key": "ключ-123456"}, "type": "api-key", "name": "by hand"});
    assert_eq!(alice.post(&provider_path("add"), &key).await.0, 200);
    let stored = server.stored("tool_builtin_providers", "encrypted_credentials", "name = 'by hand'").await;
    assert_eq!(server.decrypt(&stored["api_key"]), "ключ-123456");

    let params = json!({"client_id": CLIENT_ID, "client_secret": "of the instance"});
    let set = server.command(&["connection", "set-client", PROVIDER, "-"], &params.to_string());
    assert!(set.status.success(), "{}", String::from_utf8_lossy(&set.stderr));
    let query = format!("SELECT encrypted_oauth_params FROM tool_oauth_system_clients WHERE {row}");
    let sealed = text(&server, &query).await.unwrap();
    let opened = server.python.send(&json!({"do": "decrypt_client", "secret_key": SECRET_KEY, "text": sealed}));
    assert_eq!(opened["result"], params);
    let rotated = server.command(&["connection", "rotate-keys"], "");
    assert!(rotated.status.success(), "{}", String::from_utf8_lossy(&rotated.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn this_service_reads_what_dify_writes() {
    let Some(mut server) = DifyConnections::start().await else { return };
    let params = json!({"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET});
    let sealed =
        result(&server.python.send(&json!({"do": "encrypt_client", "secret_key": SECRET_KEY, "params": params})));
    let insert = "INSERT INTO tool_oauth_system_clients (plugin_id, provider, encrypted_oauth_params) VALUES";
    execute(&server, &format!("{insert} ('acme/tools', 'stand-in', {})", quoted(&sealed))).await;
    // The client of the instance, which Dify has stored, is used.
    let mut alice = server.person(ALICE_ID);
    let by_us = alice.connect().await;
    assert_eq!(alice.post(&provider_path("delete"), &json!({"credential_id": by_us})).await.0, 200);

    let old = json!({"do": "encrypt_without_aes", "public": server.public_key, "text": "an old key"});
    let old = json!({"api_key": result(&server.python.send(&old))});
    let old = server.insert("old", "api-key", -1, &old).await;
    assert_eq!(server.values(&old).await, json!({"api_key": "an old key"}));
    let empty = server.insert("empty", "api-key", -1, &json!({"api_key": ""})).await;
    assert_eq!(server.values(&empty).await, json!({"api_key": ""}));
}

#[tokio::test(flavor = "multi_thread")]
async fn token_of_dify_is_refreshed_and_its_cached_values_are_removed() {
    let Some(mut server) = DifyConnections::start().await else { return };
    let mut alice = server.with_client().await;
    let first = alice.connect().await;
    let tokens = server.values(&first).await;
    execute(&server, &format!("DELETE FROM tool_builtin_providers WHERE id = '{first}'")).await;
    // The same tokens in a row of Dify's, about to expire.
    let mut row = json!({"note": "not a field"});
    for name in ["access_token", "refresh_token"] {
        row[name] = server.encrypt(tokens[name].as_str().unwrap()).into();
    }
    let soon = server.clock.now().timestamp() + 30;
    let id = server.insert("of Dify", "oauth2", soon, &row).await;
    let Stores::Servers { redis, prefix, .. } = &server.stores else { panic!("Dify uses Redis") };
    let mut redis = redis::Client::open(redis.as_str()).unwrap().get_multiplexed_async_connection().await.unwrap();
    let key =
        format!("{prefix}:tool_credentials:tenant_id:{}:provider:{PROVIDER}:credential_id:{id}", server.workspace);
    redis::cmd("SET").arg(&key).arg("{}").query_async::<()>(&mut redis).await.unwrap();

    let refreshed = server.values(&id).await;
    assert_ne!(refreshed["access_token"], tokens["access_token"]);
    assert_eq!(refreshed["note"], "not a field", "Dify stores values without a field, too");
    assert_eq!((server.provider.refreshes(), server.provider.rejected()), (1, 0));
    let cached: bool = redis::cmd("EXISTS").arg(&key).query_async(&mut redis).await.unwrap();
    assert!(!cached);
    let stored = server.stored("tool_builtin_providers", "encrypted_credentials", &format!("id = '{id}'")).await;
    for name in ["access_token", "refresh_token"] {
        assert_eq!(server.decrypt(&stored[name]), refreshed[name].as_str().unwrap(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn values_that_cannot_be_decrypted_are_an_error_that_names_the_connection() {
    let Some(mut server) = DifyConnections::start().await else { return };
    let other = server.python.send(&json!({"do": "generate"}))["result"]["public"].clone();
    let other = result(&server.python.send(&json!({"do": "encrypt", "public": other, "text": "secret"})));
    let good = server.encrypt("secret");
    let cut = good[..good.len() - 8].to_owned();
    let rows = [
        json!({"api_key": "plain"}),
        json!({"api_key": other}),
        json!({"api_key": cut}),
        json!([]),
        // The manifest of the plugin's current version names another secret.
        json!({"api_key": good, "second_key": good}),
    ];
    for (number, row) in rows.iter().enumerate() {
        let id = server.insert(&format!("bad {number}"), "api-key", -1, row).await;
        let answer = server.credentials(&id).await;
        assert_eq!(answer.outcome(), (500, "internal_state_invariant".to_owned()), "{row}");
        assert!(answer.text.contains(&id) && !answer.text.contains("plain"), "{}", answer.text);
    }
    let id = server.insert("good", "api-key", -1, &json!({"api_key": good})).await;
    assert_eq!(server.values(&id).await, json!({"api_key": "secret"}));
    // After two minutes the key is read again.
    fs::rename(server.key_file(), server.storage.path().join("moved")).unwrap();
    assert_eq!(server.values(&id).await, json!({"api_key": "secret"}));
    server.advance(120);
    let answer = server.credentials(&id).await;
    assert_eq!(answer.outcome(), (500, "internal_state_invariant".to_owned()));
    assert!(answer.text.contains("OPENDAL_FS_ROOT"), "{}", answer.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn dify_s_storage_is_not_changed() {
    let Some(server) = DifyConnections::start().await else { return };
    let read_only = |path: &Path| fs::set_permissions(path, fs::Permissions::from_mode(0o555)).unwrap();
    read_only(server.storage.path());
    let mut alice = server.with_client().await;
    let id = alice.connect().await;
    server.values(&id).await;
    let names: Vec<_> = fs::read_dir(server.storage.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["privkeys"]);
    fs::set_permissions(server.storage.path(), fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_absent_unless_enabled() {
    let Some(dify) = Dify::start().await else { return };
    let browser = dify.browser(ALICE_ID);
    for path in [oauth_path("tool/authorization-url"), provider_path("credentials"), "/device/connections".to_owned()] {
        assert_eq!(Answer::to(browser.request(Method::GET, &path)).await.status, 404, "{path}");
    }
    let body = json!({"tenant_id": ALICE_ID, "provider": PROVIDER, "account_id": ALICE_ID});
    assert_eq!(call_service(&dify, "credentials", &body).await.status, 404);
    let sessions = Answer::to(browser.request(Method::GET, "/device/sessions")).await;
    assert!(sessions.status == 200 && !sessions.text.contains("/device/connections"));
}

#[tokio::test(flavor = "multi_thread")]
async fn visibility_of_newer_dify_is_kept_and_the_narrower_one_applies() {
    // Dify's migration a1b2c3d4e5f6.
    let column = "visibility VARCHAR(40) NOT NULL DEFAULT 'all_team_members'";
    let statement = format!("ALTER TABLE tool_builtin_providers ADD COLUMN {column}");
    let Some(mut server) = DifyConnections::start_after(&statement).await else { return };
    let join = "INSERT INTO tenant_account_joins (tenant_id, account_id, role) VALUES";
    execute(&server, &format!("{join} ('{}', '{BOB_ID}', 'normal')", server.workspace)).await;
    let key = json!({"api_key": server.encrypt("secret")});
    let id = server.insert("of Dify", "api-key", -1, &key).await;
    let of_bob = |id: &str| {
        let body =
            json!({"tenant_id": server.workspace, "provider": PROVIDER, "credential_id": id, "account_id": BOB_ID});
        let server = &server;
        async move { call_service(server, "credentials", &body).await.status }
    };
    assert_eq!(of_bob(&id).await, 200);
    for word in ["only_me", "partial_members"] {
        execute(&server, &format!("UPDATE tool_builtin_providers SET visibility = '{word}' WHERE id = '{id}'")).await;
        assert_eq!(of_bob(&id).await, 404, "{word}");
    }
    let mut alice = server.with_client().await;
    let own = alice.connect().await;
    let visibility = || async {
        text(&server, &format!("SELECT visibility FROM tool_builtin_providers WHERE id = '{own}'")).await.unwrap()
    };
    assert_eq!((visibility().await.as_str(), of_bob(&own).await), ("only_me", 404));
    let share = json!({"credential_id": own, "visibility": "all_team_members"});
    assert_eq!(alice.post(&provider_path("update"), &share).await.0, 200);
    assert_eq!((visibility().await.as_str(), of_bob(&own).await), ("all_team_members", 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn refreshed_values_are_stored_although_the_public_key_cannot_be_read_any_more() {
    let Some(server) = DifyConnections::start().await else { return };
    let id = server.with_client().await.connect().await;
    server.values(&id).await;
    server.advance(3_600);
    server.provider.hold();
    let remove_key = async {
        server.provider.wait_for_request().await;
        execute(&server, "UPDATE tenants SET encrypt_public_key = NULL").await;
        server.provider.release();
    };
    let (refreshed, ()) = tokio::join!(server.credentials(&id), remove_key);
    assert_eq!(refreshed.status, 200, "{}", refreshed.text);
    assert_eq!((server.provider.refreshes(), server.provider.rejected()), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn rotation_of_keys_leaves_the_rows_of_workspaces_alone() {
    let Some(server) = DifyConnections::start().await else { return };
    server.with_client().await;
    let params = json!({"client_id": CLIENT_ID, "client_secret": "of the instance"});
    let set = server.command(&["connection", "set-client", PROVIDER, "-"], &params.to_string());
    assert!(set.status.success(), "{}", String::from_utf8_lossy(&set.stderr));
    // Dify has connections to providers that this service does not know.
    let id = server.insert("unknown", "api-key", -1, &json!({"api_key": "plain"})).await;
    execute(&server, &format!("UPDATE tool_builtin_providers SET provider = 'a/b/c' WHERE id = '{id}'")).await;
    let rotated = server.command(&["connection", "rotate-keys"], "");
    let printed = String::from_utf8(rotated.stdout).unwrap();
    assert!(rotated.status.success(), "{}", String::from_utf8_lossy(&rotated.stderr));
    assert!(printed.contains("encrypted 0 of 1 "), "only the client of the instance: {printed}");
}
