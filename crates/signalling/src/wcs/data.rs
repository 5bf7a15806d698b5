//! What a client has to tell the application behind the server: one thing after the other, each answered.

use std::sync::Arc;

use headwater_access::{Facts, Visit};
use headwater_media::limits;
use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinSet},
};

use super::{
    Wcs,
    session::Client,
    wire::{Data, Reply},
};

/// The way of a client's data to the application; dropping it ends it.
pub(super) struct Post {
    waiting: mpsc::Sender<Data>,
    task: AbortHandle,
}

impl Post {
    pub(super) fn open(
        tasks: &mut JoinSet<()>,
        wcs: Wcs,
        client: Arc<Client>,
        visit: Arc<Visit>,
        replies: mpsc::Sender<Reply>,
    ) -> Post {
        let (waiting, taken) = mpsc::channel(limits::WCS_DATA.get_usize().max(1));
        Post { waiting, task: tasks.spawn(carry(wcs, client, visit, taken, replies)) }
    }

    /// Takes data; gives it back where too much waits already.
    pub(super) fn take(&self, data: Data) -> Result<(), Data> {
        self.waiting.try_send(data).map_err(|refused| {
            limits::WCS_DATA.hit();
            refused.into_inner()
        })
    }
}

impl Drop for Post {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(
    wcs: Wcs,
    client: Arc<Client>,
    visit: Arc<Visit>,
    mut waiting: mpsc::Receiver<Data>,
    replies: mpsc::Sender<Reply>,
) {
    while let Some(Data { operation_id, payload }) = waiting.recv().await {
        let facts = Facts::from_iter([
            ("operationId".to_owned(), operation_id.as_str().into()),
            ("payload".to_owned(), payload.unwrap_or_default()),
        ]);
        let told = wcs.0.entrance.tell(&visit, &facts, client.address()).await;
        let problem = told.err().map(|refused| refused.sentence);
        if replies.send(Reply::DataStatus { operation_id, problem }).await.is_err() {
            return;
        }
    }
}
