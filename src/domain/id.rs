//! One type for each kind of identifier, so that the compiler rejects one in place of another.

use std::{fmt, str::FromStr};

use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident,)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            /// Accepts the hyphenated form of 36 characters only, and no other form of a UUID.
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                if text.len() == 36 {
                    Uuid::try_parse(text).map(Self)
                } else {
                    Uuid::try_parse("not hyphenated").map(Self)
                }
            }
        }
    )*};
}

ids! {
    /// A row of `accounts`.
    AccountId,
    /// A row of `tenants`, which are called workspaces everywhere else.
    WorkspaceId,
    /// A row of `oauth_access_tokens`: the session's id.
    TokenId,
    /// A browser session of a standalone server; the `jti` of its cookie.
    BrowserSessionId,
    /// One approval in progress. Its holder may finish it.
    ClaimId,
    /// A row of `apps`.
    AppId,
    /// A row of `app_model_configs`.
    ModelConfigId,
    /// A row of `workflows`: one version of an app's graph.
    WorkflowId,
    /// A row of `tags`.
    TagId,
    /// A row of `end_users`.
    EndUserId,
    /// A row of `upload_files`.
    FileId,
    /// A row of `conversations`.
    ConversationId,
    /// A row of `messages`.
    MessageId,
    /// A row of `workflow_runs`.
    WorkflowRunId,
    /// A form of a run that waits for a person.
    HumanFormId,
    /// One import of an app.
    ImportId,
    /// One run, in events and in the call that stops it.
    TaskId,
    /// A step of an agent, in events.
    AgentThoughtId,
    /// A row of `tool_builtin_providers`: credentials at a third-party service.
    ConnectionId,
}
