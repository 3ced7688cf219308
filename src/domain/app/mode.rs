//! Modes and statuses of apps.

use crate::domain::stored::{StoredWord, stored_words};

stored_words! {
    /// The modes that can be listed, described and run.
    AppMode {
        /// A prompt with memory.
        Chat = "chat",
        /// A prompt with memory and tools. Tools are not run here.
        AgentChat = "agent-chat",
        /// A graph that answers in a conversation.
        AdvancedChat = "advanced-chat",
        /// A prompt without memory.
        Completion = "completion",
        /// A graph that ends with outputs.
        Workflow = "workflow",
    }
}

impl AppMode {
    /// Every mode.
    pub const ALL: &[Self] = <Self as StoredWord>::ALL;

    /// The mode with this name.
    pub fn parse(text: &str) -> Option<Self> {
        <Self as StoredWord>::parse(text)
    }

    /// Whether a run takes a query and belongs to a conversation.
    pub const fn is_chat(self) -> bool {
        matches!(self, Self::Chat | Self::AgentChat | Self::AdvancedChat)
    }

    /// Whether a run follows a published graph.
    pub const fn has_graph(self) -> bool {
        matches!(self, Self::AdvancedChat | Self::Workflow)
    }
}

stored_words! {
    /// The status of an app. Only normal apps are visible to callers.
    AppStatus {
        Normal = "normal",
    }
}
