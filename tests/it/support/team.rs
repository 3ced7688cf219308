//! A workspace with its owner and a member.

use super::{
    Bearer, Stores, TestServer, apps,
    database::{account_id, execute},
    server::{MEMBER, OWNER, no_limits},
};

/// A server without rate limits, and the tokens of the owner and of a member of one workspace.
pub struct Team {
    pub server: TestServer,
    pub workspace: String,
    pub owner: Bearer,
    pub member: Bearer,
}

impl Team {
    pub async fn start(stores: Stores, variables: &[(&str, &str)]) -> Self {
        let limits = no_limits();
        let variables = [&[("OPENAPI_RATE_LIMITS", limits.as_str())], variables].concat();
        let server = TestServer::start_with(stores, &variables).await;
        Self {
            workspace: apps::shared_workspace(&server).await,
            owner: Bearer::sign_in(&server, OWNER, "laptop").await,
            member: Bearer::sign_in(&server, MEMBER, "laptop").await,
            server,
        }
    }

    pub async fn member_id(&self) -> String {
        account_id(&self.server, MEMBER).await
    }

    pub async fn set_role_of_member(&self, role: &str) {
        let of_member = format!("account_id = '{}'", self.member_id().await);
        execute(&self.server, &format!("UPDATE tenant_account_joins SET role = '{role}' WHERE {of_member}")).await;
    }
}
