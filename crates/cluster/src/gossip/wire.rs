//! The transport that `chitchat` is given: the links of the switch.

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use async_trait::async_trait;
use chitchat::{
    ChitchatMessage, Deserializable, Serializable,
    transport::{Socket, Transport},
};
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc};

use crate::{cluster::Node, switch::Letter};

pub(super) struct Wire {
    node: Arc<Node>,
    inbox: Mutex<Option<mpsc::Receiver<Letter>>>,
    moved: Arc<Notify>,
}

impl Wire {
    pub(super) fn new(node: &Arc<Node>) -> Wire {
        let inbox = Mutex::new(Some(node.switch.open_inbox()));
        Wire { node: node.clone(), inbox, moved: Arc::default() }
    }

    /// Rung when messages have been taken up.
    pub(super) fn moved(&self) -> Arc<Notify> {
        self.moved.clone()
    }
}

#[async_trait]
impl Transport for Wire {
    async fn open(&self, _: SocketAddr) -> anyhow::Result<Box<dyn Socket>> {
        let inbox = self.inbox.lock().take();
        let inbox = inbox.ok_or_else(|| anyhow::anyhow!("the links of the cluster were opened twice"))?;
        Ok(Box::new(Open { node: self.node.clone(), inbox, moved: self.moved.clone() }))
    }
}

struct Open {
    node: Arc<Node>,
    inbox: mpsc::Receiver<Letter>,
    moved: Arc<Notify>,
}

#[async_trait]
impl Socket for Open {
    async fn send(&mut self, to: SocketAddr, message: ChitchatMessage) -> anyhow::Result<()> {
        self.node.switch.send(to, message.serialize_to_vec().into());
        Ok(())
    }

    async fn recv(&mut self) -> anyhow::Result<(SocketAddr, ChitchatMessage)> {
        // Whoever asks for the next message has taken up the one before.
        self.moved.notify_one();
        loop {
            let letter = self.inbox.recv().await;
            let (from, bytes) = letter.ok_or_else(|| anyhow::anyhow!("the links of the cluster are gone"))?;
            match ChitchatMessage::deserialize(&mut bytes.as_ref()) {
                Ok(message) => return Ok((from, message)),
                Err(_) => _ = self.node.switch.counters.malformed.fetch_add(1, Relaxed),
            }
        }
    }
}
