//! `MemberService`.

use tonic::{Request, Response, Status, async_trait};

use super::{
    hint::LIST_MEMBERS,
    proto,
    reply::{created, success},
    request::caller,
    services::Rpc,
};
use crate::domain::{member::Member, page::PageRequest};

/// Members of a page by default.
const DEFAULT_LIMIT: u32 = 20;

#[async_trait]
impl proto::member_service_server::MemberService for Rpc {
    async fn list_members(
        &self,
        request: Request<proto::ListMembersRequest>,
    ) -> Result<Response<proto::ListMembersResponse>, Status> {
        let query = request.get_ref();
        let page = PageRequest::new(query.page, query.limit, DEFAULT_LIMIT)?;
        let found = self.services.members.list(caller(&request)?, &query.workspace_id, page).await?;
        let hints = proto::Hint::list(&request, || {
            let workspace = [("workspace_id", query.workspace_id.clone().into())];
            let next = || proto::Hint::next_page(LIST_MEMBERS, page.page, page.limit, &workspace);
            found.has_more().then(next).into_iter().collect()
        });
        Ok(Response::new(proto::ListMembersResponse {
            page: i32::try_from(page.page).unwrap_or(i32::MAX),
            limit: i32::try_from(page.limit).unwrap_or(i32::MAX),
            total: i64::try_from(found.total).unwrap_or(i64::MAX),
            has_more: found.has_more(),
            data: found.data.into_iter().map(Into::into).collect(),
            hints,
        }))
    }

    async fn invite_member(
        &self,
        request: Request<proto::InviteMemberRequest>,
    ) -> Result<Response<proto::InviteMemberResponse>, Status> {
        let (caller, message) = (caller(&request)?, request.get_ref());
        let invited =
            self.services.members.invite(caller, &message.workspace_id, &message.email, &message.role).await?;
        Ok(created(proto::InviteMemberResponse {
            result: success(),
            email: invited.email,
            role: invited.role.as_str().to_owned(),
            member_id: invited.member_id.to_string(),
            invite_url: invited.invite_url,
            tenant_id: invited.workspace_id.to_string(),
        }))
    }

    async fn remove_member(
        &self,
        request: Request<proto::RemoveMemberRequest>,
    ) -> Result<Response<proto::RemoveMemberResponse>, Status> {
        let removed = request.get_ref();
        self.services.members.remove(caller(&request)?, &removed.workspace_id, &removed.member_id).await?;
        Ok(Response::new(proto::RemoveMemberResponse { result: success() }))
    }

    async fn set_member_role(
        &self,
        request: Request<proto::SetMemberRoleRequest>,
    ) -> Result<Response<proto::SetMemberRoleResponse>, Status> {
        let (caller, change) = (caller(&request)?, request.get_ref());
        self.services.members.set_role(caller, &change.workspace_id, &change.member_id, &change.role).await?;
        Ok(Response::new(proto::SetMemberRoleResponse { result: success() }))
    }
}

impl From<Member> for proto::Member {
    fn from(member: Member) -> Self {
        Self {
            id: member.account.id.to_string(),
            name: member.account.name,
            email: member.account.email,
            role: member.role.to_string(),
            status: member.account.status.to_string(),
            avatar: member.account.avatar,
        }
    }
}
