//! A client that publishes.

use std::sync::Arc;

use headwater_access::{Action, Admitted};
use headwater_graph::Publication;
use headwater_media::limits;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{Left, Session};
use crate::{
    access::{tell_end, tell_when_live},
    address::elsewhere,
    context::Present,
    error::RtmpError,
    to_stream::ToStream,
    wire::server::Event,
};

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Session<S> {
    pub(super) async fn publish(&mut self, key: &Arc<str>) -> Result<Left, RtmpError> {
        let (admitted, publication) = match self.begin_publish(key).await {
            Ok(begun) => begun,
            Err(error) => {
                self.conversation.refuse(error.publish_code(), &error.to_string());
                return Err(error);
            }
        };
        tracing::info!(
            session = %self.peer.session, stream = %publication.stream().name(), remote = ?self.peer.remote,
            user_agent = self.peer.user_agent.as_deref(), "an RTMP publisher begins"
        );
        self.conversation.accept_publish();
        let context = self.context.clone();
        let _publisher = Present::new(&context.counters().publishers);
        let terminated = publication.terminated();
        let to_stream = ToStream::new(context.clone(), publication);
        let result = self.take_media(to_stream, terminated, &admitted).await;
        tell_end(&admitted, &result);
        if let Err(RtmpError::Terminated(reason)) = &result {
            self.conversation.status("error", "NetStream.Publish.Rejected", reason);
        }
        result
    }

    async fn begin_publish(&mut self, key: &str) -> Result<(Arc<Admitted>, Publication), RtmpError> {
        let (admitted, asked) = self.admit(Action::Publish, key).await?;
        let publication = self.context.hub().publish(admitted.admission().stream.clone(), self.peer.clone());
        let publication = publication.map_err(|error| RtmpError::from(error.as_asked(&asked)));
        tell_end(&admitted, &publication);
        Ok((admitted, publication?))
    }

    async fn take_media(
        &mut self,
        mut to_stream: ToStream,
        terminated: impl Future<Output = String> + Send,
        admitted: &Admitted,
    ) -> Result<Left, RtmpError> {
        let context = self.context.clone();
        let silence_max = limits::RTMP_SILENCE_MS.get_duration();
        let mut last_media = context.environment().now();
        let mut silence = context.environment().sleep(silence_max);
        let shutdown = self.shutdown.clone();
        let mut terminated = std::pin::pin!(terminated);
        let mut revoked = std::pin::pin!(admitted.revoked());
        loop {
            while let Some(event) = self.next_event()? {
                match event {
                    Event::Media(media) => {
                        to_stream.push(media);
                        last_media = context.environment().now();
                    }
                    Event::Stop => return Ok(Left::Stays),
                    Event::Connect(_) | Event::Publish { .. } | Event::Play { .. } | Event::Pause(_) => {}
                }
            }
            to_stream.ring();
            tell_when_live(admitted, to_stream.stream());
            self.transport.send(self.conversation.output()).await?;
            tokio::select! {
                biased;
                reason = &mut terminated => return Err(RtmpError::Terminated(reason)),
                refused = &mut revoked => {
                    if self.may_reconnect(&refused) {
                        // The name is free for it only once it has left, so it is let go at once.
                        let place = elsewhere(&self.request, refused.instead(Action::Publish));
                        self.conversation.ask_to_reconnect(place.as_deref(), &refused.sentence);
                    }
                    return Err(RtmpError::Terminated(refused.sentence));
                }
                () = shutdown.cancelled() => return Err(RtmpError::Terminated("the server is stopping".into())),
                () = &mut silence => {
                    let silent_for = context.environment().now().saturating_duration_since(last_media);
                    if silent_for >= silence_max {
                        limits::RTMP_SILENCE_MS.hit();
                        return Err(RtmpError::TimedOut("the publisher has sent no media for too long"));
                    }
                    silence = context.environment().sleep(silence_max.saturating_sub(silent_for));
                }
                count = self.transport.fill() => {
                    if count? == 0 {
                        admitted.disconnect();
                        return Ok(Left::Gone);
                    }
                }
            }
        }
    }
}
