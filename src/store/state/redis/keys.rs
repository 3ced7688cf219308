//! The names of all keys in Redis. The keys of one script have the same hash tag, and so are in the same slot of a
//! cluster.

use crate::{
    domain::{
        id::{AccountId, AppId, ConnectionId, TaskId, WorkflowRunId, WorkspaceId},
        limit::{Charge, LimitName},
        secret::{DeviceCodeHash, TokenHash, UserCodeKey},
    },
    ports::{connection_cache::ConnectionGroup, nonce_store::NonceKind, pending_import_store::PendingImportKey},
};

/// Builds keys with the configured prefix.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    /// `prefix:`, or empty.
    prefix: String,
}

impl Keys {
    pub(super) fn new(prefix: Option<&str>) -> Self {
        Self {
            prefix: prefix.filter(|prefix| !prefix.is_empty()).map(|prefix| format!("{prefix}:")).unwrap_or_default(),
        }
    }

    fn join(&self, parts: &[&str]) -> String {
        let mut key = String::with_capacity(self.prefix.len() + parts.iter().map(|part| part.len()).sum::<usize>());
        key.push_str(&self.prefix);
        for part in parts {
            key.push_str(part);
        }
        key
    }

    pub(crate) fn grant(&self, device_code: &DeviceCodeHash) -> String {
        self.grant_of_hash(device_code.expose())
    }

    pub(crate) fn grant_of_hash(&self, device_code_hash: &str) -> String {
        self.join(&["openapi:grant:{", device_code_hash, "}"])
    }

    pub(crate) fn user_code(&self, user_code: &UserCodeKey) -> String {
        self.join(&["openapi:user_code:", user_code.expose()])
    }

    /// What an account decided about the grant of a user code.
    pub(crate) fn decision(&self, user_code: &UserCodeKey, account: AccountId) -> String {
        self.join(&["openapi:decision:", user_code.expose(), ":", &account.to_string()])
    }

    /// The bucket of a limit. The per-token limit has the bucket that reading the token's cache entry charges.
    pub(crate) fn bucket(&self, charge: &Charge) -> String {
        if charge.name == LimitName::Token {
            return Self::token_bucket(&self.join(&["auth:token:", &charge.key]));
        }
        self.join(&["openapi:rl:{", charge.name.as_str(), ":", &charge.key, "}"])
    }

    /// The cache entry of a token, under Dify's name for it.
    pub(crate) fn token(&self, hash: &TokenHash) -> String {
        self.join(&["auth:token:", hash.expose()])
    }

    /// The bucket beside a token's cache entry. Its hash tag is the whole name of the entry, so that both share a slot.
    pub(crate) fn token_bucket(entry: &str) -> String {
        let mut key = String::with_capacity(entry.len() + 5);
        key.push_str("rl:{");
        key.push_str(entry);
        key.push('}');
        key
    }

    /// The counter of a login key. All counters share one slot, because one attempt is counted at several of them.
    pub(crate) fn login(&self, key: &str) -> String {
        self.join(&["openapi:{logins}:", key])
    }

    pub(crate) fn lease(&self, job: &str) -> String {
        self.join(&["openapi:lease:", job])
    }

    pub(crate) fn slots(&self, key: &str) -> String {
        self.join(&["openapi:slots:", key])
    }

    /// The head of a run's log.
    pub(crate) fn run_head(&self, task: TaskId) -> String {
        self.join(&["openapi:run:{", &task.to_string(), "}"])
    }

    /// The events of a run's log, in the slot of its head.
    pub(crate) fn run_events(&self, task: TaskId) -> String {
        self.join(&["openapi:run:{", &task.to_string(), "}:events"])
    }

    /// The task of a run.
    pub(crate) fn run_task(&self, run: WorkflowRunId) -> String {
        self.join(&["openapi:run_task:", &run.to_string()])
    }

    /// The status of the enterprise license, under Dify's name for it.
    pub(crate) fn license_status(&self) -> String {
        self.join(&["enterprise:license:status"])
    }

    /// Whether an account may use a private app, under Dify's name for it.
    pub(crate) fn app_permission(&self, account: AccountId, app: AppId) -> String {
        self.join(&["acl:webapp:", &account.to_string(), ":", &app.to_string()])
    }

    /// The cached connections of a workspace to a provider.
    pub(crate) fn connections(&self, group: ConnectionGroup<'_>) -> String {
        self.join(&["openapi:connections:", &group.workspace.to_string(), ":", group.provider])
    }

    /// The decrypted values of a connection, under Dify's name for them.
    pub(crate) fn credentials(&self, workspace: WorkspaceId, provider: &str, id: ConnectionId) -> String {
        let (workspace, id) = (workspace.to_string(), id.to_string());
        self.join(&["tool_credentials:tenant_id:", &workspace, ":provider:", provider, ":credential_id:", &id])
    }

    /// A consumed nonce, under Dify's names for those that Dify also consumes.
    pub(crate) fn nonce(&self, kind: NonceKind, nonce: &str) -> String {
        let name = match kind {
            NonceKind::SsoAssertion => "sso_assertion_nonce:",
            NonceKind::ApprovalGrant => "device_approval_grant_nonce:",
            NonceKind::SsoState => "openapi:sso_state_nonce:",
            NonceKind::ConnectionState => "openapi:connection_state_nonce:",
        };
        self.join(&[name, nonce])
    }

    /// An import that waits for a confirmation.
    pub(crate) fn pending_import(&self, import: PendingImportKey) -> String {
        let PendingImportKey { workspace, account, id } = import;
        let (workspace, account) = (workspace.to_string(), account.to_string());
        self.join(&["openapi:pending_import:", &workspace, ":", &account, ":", &id.to_string()])
    }

    /// Keys of a text, a hash, a list and a sorted set, in one slot.
    pub(super) fn probe_kinds(&self) -> [String; 4] {
        ["text", "hash", "list", "set"].map(|kind| self.join(&["openapi:{probe}:", kind]))
    }

    /// The key that is written before replicas confirm writes.
    pub(super) fn confirmation(&self) -> String {
        self.join(&["openapi:confirmation"])
    }

    /// A key that is never written, for checking whether Redis replies.
    pub(super) fn probe(&self) -> String {
        self.join(&["openapi:probe"])
    }
}
