//! Publishes the stream by RTMP in real time, as an encoder would.

use std::{
    io::Write,
    net::{SocketAddr, TcpStream},
    os::fd::AsFd,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, ensure};
use bytes::{Bytes, BytesMut};
use headwater_media::TrackKind;
use headwater_rtmp::wire::{Message, MessageKind, chunk, client::Intent};
use rustix::net::{RecvFlags, recv};

use crate::{
    rtmp::client::Client,
    source::{self, Source},
};

/// The stream that all benches publish.
pub(crate) const STREAM: &str = "bench";
const CHUNK_SIZE: u32 = 65_536;

/// A publisher on its own thread; dropping it ends the publication.
pub(crate) struct Publisher {
    orders: Arc<Orders>,
    beat: Beat,
    thread: Option<JoinHandle<Result<()>>>,
}

/// What its thread is told.
#[derive(Default)]
struct Orders {
    stop: AtomicBool,
    pause: AtomicBool,
}

/// How many of each so many pictures were handed to the socket, and when the newest.
type Beat = Arc<Mutex<Option<(u64, Instant)>>>;

impl Publisher {
    /// Connects and begins to send a stream.
    pub(crate) fn start(server: SocketAddr, source: Source) -> Result<Publisher> {
        Publisher::with_beat(server, source, u64::MAX)
    }

    /// The same, and remembers when it sent each picture whose number is a multiple of `every`.
    pub(crate) fn with_beat(server: SocketAddr, source: Source, every: u64) -> Result<Publisher> {
        let client =
            Client::connect(server, Intent::Publish, STREAM, CHUNK_SIZE).context("the server takes no publisher")?;
        let orders = Arc::new(Orders::default());
        let beat = Beat::default();
        let thread = thread::Builder::new().name("publisher".into()).spawn({
            let (orders, beat) = (orders.clone(), beat.clone());
            move || publish(client, source, &orders, &beat, every)
        })?;
        Ok(Publisher { orders, beat, thread: Some(thread) })
    }

    /// How many pictures it remembers before the newest one, and when it began to send that.
    pub(crate) fn beat(&self) -> Option<(u64, Instant)> {
        *self.beat.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends nothing from here on and stays connected.
    pub(crate) fn pause(&self) {
        self.orders.pause.store(true, Ordering::Release);
    }

    /// Whether it still publishes.
    pub(crate) fn check(&mut self) -> Result<()> {
        let ended = self.thread.as_ref().is_none_or(JoinHandle::is_finished);
        if !ended {
            return Ok(());
        }
        let result = self.thread.take().map(JoinHandle::join);
        match result {
            Some(Ok(result)) => result.context("the publisher ended"),
            _ => Err(anyhow!("the publisher failed")),
        }?;
        Err(anyhow!("the publisher ended"))
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.orders.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn publish(client: Client, mut source: Source, orders: &Orders, beat: &Beat, every: u64) -> Result<()> {
    let mut wire = Wire::new(client)?;
    wire.send(MessageKind::Data0, Duration::ZERO, source.metadata())?;
    for message in source.configuration() {
        wire.send_media(message)?;
    }
    let start = Instant::now();
    let mut pictures = 0_u64;
    while !orders.stop.load(Ordering::Acquire) {
        if orders.pause.load(Ordering::Acquire) {
            thread::sleep(Duration::from_millis(10));
            wire.listen()?;
            continue;
        }
        thread::sleep((start + source.next_due()).saturating_duration_since(Instant::now()));
        let message = source.next();
        if message.kind == TrackKind::Video {
            if pictures.is_multiple_of(every) {
                *beat.lock().unwrap_or_else(PoisonError::into_inner) = Some((pictures / every, Instant::now()));
            }
            pictures += 1;
        }
        wire.send_media(message)?;
        wire.listen()?;
    }
    Ok(())
}

struct Wire {
    socket: TcpStream,
    client: Client,
    buffer: BytesMut,
}

impl Wire {
    fn new(client: Client) -> Result<Wire> {
        let socket = client.socket.try_clone()?;
        socket.set_write_timeout(Some(Duration::from_secs(10)))?;
        Ok(Wire { socket, client, buffer: BytesMut::new() })
    }

    fn send_media(&mut self, message: source::Message) -> Result<()> {
        let kind = match message.kind {
            TrackKind::Video => MessageKind::Video,
            TrackKind::Audio => MessageKind::Audio,
        };
        self.send(kind, message.due, message.body)
    }

    fn send(&mut self, kind: MessageKind, due: Duration, payload: Bytes) -> Result<()> {
        let message = Message {
            kind,
            stream: self.client.conversation.stream(),
            timestamp: u32::try_from(due.as_millis())?,
            payload,
        };
        let chunk_stream = match kind {
            MessageKind::Video => chunk::VIDEO,
            MessageKind::Audio => chunk::AUDIO,
            _ => chunk::DATA,
        };
        self.buffer.clear();
        let size = self.client.conversation.chunk_size();
        chunk::write_message(&message, chunk_stream, size, &mut self.buffer);
        self.socket.write_all(&self.buffer)?;
        Ok(())
    }

    /// Takes what the server says meanwhile, without waiting for it.
    fn listen(&mut self) -> Result<()> {
        let mut buffer = [0; 4_096];
        match recv(self.socket.as_fd(), &mut buffer, RecvFlags::DONTWAIT) {
            Ok((_, length)) => {
                ensure!(length > 0, "the server has closed the publisher's connection");
                self.client.take(&buffer[..length])
            }
            Err(rustix::io::Errno::AGAIN) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
