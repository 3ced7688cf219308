//! Sends the text of a node to the engine while the node runs.

use tokio::sync::mpsc;

use crate::runtime::builtin::graph::index::NodeIx;

/// The sending half of the engine's channel of texts, for one node. Sending waits while the channel is full.
#[derive(Clone, Debug)]
pub(crate) struct TextSender {
    node: NodeIx,
    sender: mpsc::Sender<(NodeIx, String)>,
}

impl TextSender {
    pub(crate) fn new(node: NodeIx, sender: mpsc::Sender<(NodeIx, String)>) -> Self {
        Self { node, sender }
    }

    pub(crate) async fn send(&self, text: String) {
        // The receiver is dropped only right before the run of this node is.
        let _ = self.sender.send((self.node, text)).await;
    }
}
