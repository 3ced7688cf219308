//! Members of a workspace: listing, inviting, removing, and changing their roles.

use std::sync::Arc;

use super::{context::ServiceContext, identity::Identity};
use crate::{
    domain::{
        Code, Error, Result,
        caller::Caller,
        email::normalize_email,
        id::{AccountId, WorkspaceId},
        member::{Actor, Invitation, Member, RequiredRole, member_not_found},
        page::{Page, PageRequest},
        stored::StoredWord as _,
        workspace::WorkspaceRole,
    },
    telemetry::audit::workspace::{WorkspaceEvent, WorkspaceEventKind},
};

/// The roles of an invitation.
const INVITABLE_ROLES: [WorkspaceRole; 2] = [WorkspaceRole::Normal, WorkspaceRole::Admin];

#[derive(Clone, Debug)]
pub struct MemberSettings {
    /// Whether accounts are created here. Beside Dify, Dify creates them.
    pub standalone: bool,
    /// Whether Dify Enterprise has the members of workspaces, beside Dify.
    pub enterprise: bool,
    /// The page where an invited person signs in.
    pub sign_in_url: String,
}

/// An account that has become a member.
pub struct Invited {
    pub workspace_id: WorkspaceId,
    pub member_id: AccountId,
    /// As it is stored.
    pub email: String,
    pub role: WorkspaceRole,
    pub invite_url: String,
}

#[derive(Clone)]
pub struct Members {
    context: ServiceContext,
    identity: Identity,
    settings: Arc<MemberSettings>,
}

impl Members {
    pub fn new(context: ServiceContext, identity: Identity, settings: MemberSettings) -> Self {
        Self { context, identity, settings: Arc::new(settings) }
    }

    /// A page of the members of a workspace. Fails with `not_found` unless the caller is one of them.
    pub async fn list(&self, caller: &Caller, workspace: &str, page: PageRequest) -> Result<Page<Member>> {
        let membership = self.identity.require_role(caller, workspace, RequiredRole::Any).await?;
        self.context.sql.list_members(membership.workspace_id, page).await
    }

    /// Makes the account with this email address a member. A standalone server creates an account that has no password
    /// yet. Fails with `not_found`, `forbidden`, `invalid_param`, with `already_exists` for a member, and with
    /// `not_supported_here` where Dify has to create the account.
    pub async fn invite(&self, caller: &Caller, workspace: &str, email: &str, role: &str) -> Result<Invited> {
        let workspace_id = self.identity.require_role(caller, workspace, RequiredRole::Admin).await?.workspace_id;
        let by = account_of(caller)?;
        let email = normalize_email(email).map_err(|reason| Error::invalid_param("body", "email", reason))?;
        let role = INVITABLE_ROLES.into_iter().find(|invitable| invitable.as_str() == role);
        let role = role.ok_or_else(|| Error::invalid_param("body", "role", "must be normal or admin"))?;
        self.require_own_members(invite_in_dify)?;
        // Dify's own name for a new account.
        let name = email.split('@').next().filter(|_| self.settings.standalone);
        let invitation = Invitation { email: &email, role, new_account_name: name };
        let now = self.context.clock.now();
        let invited = self.context.sql.invite_member(workspace_id, by, invitation, now).await?;
        let member = invited.ok_or_else(invite_in_dify)?;
        let kind = WorkspaceEventKind::MemberAdded { member, role };
        WorkspaceEvent::of(&caller.token, workspace_id, kind).record();
        Ok(Invited { workspace_id, member_id: member, email, role, invite_url: self.settings.sign_in_url.clone() })
    }

    /// Removes a member. Fails with `not_found`, `forbidden`, with `invalid_request` for the caller and for the owner,
    /// and with `not_supported_here` beside Dify Enterprise.
    pub async fn remove(&self, caller: &Caller, workspace: &str, member: &str) -> Result<()> {
        let workspace_id = self.identity.require_role(caller, workspace, RequiredRole::Admin).await?.workspace_id;
        self.require_own_members(change_in_dify)?;
        let member = member.parse().map_err(|_| member_not_found())?;
        self.context.sql.remove_member(workspace_id, member, Actor::Member(account_of(caller)?)).await?;
        let kind = WorkspaceEventKind::MemberRemoved { member };
        WorkspaceEvent::of(&caller.token, workspace_id, kind).record();
        Ok(())
    }

    /// Gives a member another role. Fails as [`Self::remove`] does, and with `invalid_param` for a role that no member
    /// can be given.
    pub async fn set_role(&self, caller: &Caller, workspace: &str, member: &str, role: &str) -> Result<()> {
        let workspace_id = self.identity.require_role(caller, workspace, RequiredRole::Admin).await?.workspace_id;
        self.require_own_members(change_in_dify)?;
        let member = member.parse().map_err(|_| member_not_found())?;
        let role = WorkspaceRole::parse(role).filter(|role| WorkspaceRole::ASSIGNABLE.contains(role));
        let role = role
            .ok_or_else(|| Error::invalid_param("body", "role", "must be admin, editor, normal or dataset_operator"))?;
        let (by, now) = (Actor::Member(account_of(caller)?), self.context.clock.now());
        self.context.sql.set_member_role(workspace_id, member, role, by, now).await?;
        let kind = WorkspaceEventKind::RoleChanged { member, role };
        WorkspaceEvent::of(&caller.token, workspace_id, kind).record();
        Ok(())
    }

    /// Fails with this error beside Dify Enterprise, which has members and their seats in tables of its own.
    fn require_own_members(&self, error: fn() -> Error) -> Result<()> {
        if self.settings.enterprise && !self.settings.standalone { Err(error()) } else { Ok(()) }
    }
}

/// The account of a token. The pipeline rejects external identities on these routes.
fn account_of(caller: &Caller) -> Result<AccountId> {
    caller.token.subject.account_id().ok_or_else(member_not_found)
}

fn invite_in_dify() -> Error {
    Error::new(Code::NotSupportedHere, "Only Dify itself can do this.")
        .with_hint("Invite them in Dify's console, under Settings, Members.")
}

fn change_in_dify() -> Error {
    Error::new(Code::NotSupportedHere, "This server cannot change the members of Dify's workspaces.")
        .with_hint("Change them in Dify's console, under Settings, Members.")
}
