//! HTTP-FLV: a stream as the endless body of an HTTP answer.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream};
use headwater_access::Admitted;
use headwater_flv::{
    Prefix,
    tag::{TagKind, back_pointer, file_header, tag_header},
};
use headwater_graph::Subscription;
use headwater_media::{TrackKind, limits};
use parking_lot::Mutex;

use crate::{
    access::info_of_end,
    context::Context,
    error::RtmpError,
    from_stream::{FromStream, Sink},
    pace::{Orders, Pace, orders},
};

/// Payloads up to this size are copied together with their headers: one large piece costs less than many small.
const COPY_BELOW: usize = 32 << 10;
/// As much is collected for one piece of the body.
const FULL_BYTES: usize = 256 << 10;

/// The media type of HTTP-FLV.
pub const CONTENT_TYPE: &str = "video/x-flv";

/// The body of an HTTP-FLV answer. It ends when the stream does, when the viewer is told to leave, and when the
/// viewer takes nothing for RTMP_WRITE_MS.
///
/// It ends as well when the leave for it is taken back. `enhanced` says that the player knows enhanced FLV, so that Opus goes as it is instead of being converted.
pub fn flv_stream(
    context: &Context,
    subscription: Subscription,
    admitted: Admitted,
    enhanced: bool,
) -> impl Stream<Item = Result<Bytes, RtmpError>> + Send + 'static {
    let shared = Arc::new(Shared { viewing: Mutex::new(None), taken: AtomicU64::new(0) });
    let viewing = Viewing::new(context.clone(), subscription, admitted, enhanced);
    *shared.viewing.lock() = Some(viewing);
    context.environment().spawn(Box::pin(watch(context.clone(), Arc::downgrade(&shared))));
    stream::unfold(shared, |shared| async move {
        shared.taken.fetch_add(1, Relaxed);
        // Taken out while the body waits for media, which is no fault of the viewer's.
        let mut viewing = shared.viewing.lock().take()?;
        let piece = viewing.next().await?;
        *shared.viewing.lock() = Some(viewing);
        Some((Ok(piece), shared))
    })
}

/// What the body and its watch share. Between two pieces the viewing lies here, so that the watch can end it.
struct Shared {
    viewing: Mutex<Option<Viewing>>,
    /// How many pieces have been asked for.
    taken: AtomicU64,
}

/// Ends the viewing of a viewer that asks for no further piece, so that it does not count as watching for ever.
async fn watch(context: Context, shared: std::sync::Weak<Shared>) {
    let mut before = u64::MAX;
    loop {
        context.environment().sleep(limits::RTMP_WRITE_MS.get_duration()).await;
        let Some(shared) = shared.upgrade() else { return };
        let taken = shared.taken.load(Relaxed);
        if taken == before && shared.viewing.lock().take().is_some() {
            limits::RTMP_WRITE_MS.hit();
            return;
        }
        before = taken;
    }
}

struct Viewing {
    context: Context,
    from: FromStream,
    sink: FlvSink,
    pace: Pace,
    orders: Orders,
    admitted: Arc<Admitted>,
    over: bool,
}

impl Viewing {
    fn new(context: Context, subscription: Subscription, admitted: Admitted, enhanced: bool) -> Viewing {
        context.counters().viewers.fetch_add(1, Relaxed);
        let from = FromStream::new(context.clone(), subscription, context.bell(), enhanced);
        let (video, audio) = from.kinds();
        let mut sink = FlvSink::default();
        sink.open.put_slice(&file_header(audio, video));
        let pace = Pace::new(&context, from.subscription().stream());
        let admitted = Arc::new(admitted);
        admitted.flow(from.subscription().stream());
        let orders = orders(from.subscription(), Some(admitted.clone()), None);
        Viewing { context, from, sink, pace, orders, admitted, over: false }
    }

    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(piece) = self.sink.pop() {
                self.from.count_sent(piece.len());
                self.context.counters().bytes_sent.fetch_add(piece.len() as u64, Relaxed);
                return Some(piece);
            }
            if self.over {
                return None;
            }
            let more = self.from.read(&mut self.sink);
            if !self.sink.is_empty() || more {
                continue;
            }
            self.pace.begin();
            tokio::select! {
                biased;
                () = self.pace.wait(self.from.bell()) => {}
                Some(order) = self.orders.next() => {
                    self.admitted.fail(info_of_end(self.from.subscription().stream(), &order.reason));
                    self.last_pieces();
                }
            }
        }
    }

    /// Takes what came with the end of the stream.
    fn last_pieces(&mut self) {
        self.over = true;
        self.from.read(&mut self.sink);
    }
}

impl Drop for Viewing {
    fn drop(&mut self) {
        self.context.counters().viewers.fetch_sub(1, Relaxed);
    }
}

/// Collects tags as pieces of the body.
#[derive(Default)]
struct FlvSink {
    /// The piece that is being collected.
    open: BytesMut,
    ready: VecDeque<Bytes>,
    ready_bytes: usize,
}

impl FlvSink {
    fn pop(&mut self) -> Option<Bytes> {
        let piece = match self.ready.pop_front() {
            Some(piece) => {
                self.ready_bytes = self.ready_bytes.saturating_sub(piece.len());
                piece
            }
            None => self.open.split().freeze(),
        };
        (!piece.is_empty()).then_some(piece)
    }

    fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.open.is_empty()
    }

    fn tag(&mut self, kind: TagKind, timestamp: u32, prefix: &[u8], payload: &Bytes) {
        let size = prefix.len() + payload.len();
        // Frames are bounded well below what a tag can hold.
        let Some(header) = tag_header(kind, size, timestamp) else { return };
        self.open.put_slice(&header);
        self.open.put_slice(prefix);
        if payload.len() < COPY_BELOW {
            self.open.put_slice(payload);
        } else {
            let before = self.open.split().freeze();
            self.ready_bytes += before.len() + payload.len();
            self.ready.extend([before, payload.clone()]);
        }
        self.open.put_slice(&back_pointer(size));
    }
}

impl Sink for FlvSink {
    fn metadata(&mut self, body: Bytes) {
        self.tag(TagKind::Script, 0, &[], &body);
    }

    fn media(&mut self, kind: TrackKind, timestamp: u32, prefix: &Prefix, payload: &Bytes) {
        let kind = match kind {
            TrackKind::Audio => TagKind::Audio,
            TrackKind::Video => TagKind::Video,
        };
        self.tag(kind, timestamp, prefix, payload);
    }

    fn is_full(&self) -> bool {
        self.ready_bytes + self.open.len() >= FULL_BYTES
    }
}
