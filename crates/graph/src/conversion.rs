//! How derived lanes are made: pure steps from outside, run here while someone reads the result.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use headwater_media::{Codec, Frame, Packet, TrackParameters};

use crate::lane::{Bell, Cursor, LaneItem, LaneWriter, Next};

/// One conversion at work: takes the items of one lane, writes another.
///
/// Called from one task; it may take its time, but not wait.
pub trait Conversion<In, Out>: Send {
    /// What a decoder of the input must know from here on: the first call, and one at each change.
    fn parameters(&mut self, parameters: &Arc<TrackParameters>, out: &mut LaneWriter<Out>);
    /// The next item.
    fn item(&mut self, item: &In, out: &mut LaneWriter<Out>);
    /// What follows does not continue what came before, or some of it was lost.
    fn discontinuity(&mut self, out: &mut LaneWriter<Out>);
}

/// The conversions that a server knows.
pub trait Converters: Send + Sync + 'static {
    /// From frames to RTP packets of the same codec.
    fn packetizer(&self, input: &TrackParameters) -> Option<Box<dyn Conversion<Frame, Packet>>>;
    /// From RTP packets to frames of the same codec.
    fn depacketizer(&self, input: &TrackParameters) -> Option<Box<dyn Conversion<Packet, Frame>>>;
    /// From one codec to another, with the parameters of the result as far as they are known before the first
    /// frame.
    fn transcoder(
        &self,
        input: &TrackParameters,
        to: Codec,
    ) -> Option<(TrackParameters, Box<dyn Conversion<Frame, Frame>>)>;
}

/// A server without conversions: every viewer gets what the source sends.
pub(crate) struct NoConverters;

impl Converters for NoConverters {
    fn packetizer(&self, _: &TrackParameters) -> Option<Box<dyn Conversion<Frame, Packet>>> {
        None
    }

    fn depacketizer(&self, _: &TrackParameters) -> Option<Box<dyn Conversion<Packet, Frame>>> {
        None
    }

    fn transcoder(
        &self,
        _: &TrackParameters,
        _: Codec,
    ) -> Option<(TrackParameters, Box<dyn Conversion<Frame, Frame>>)> {
        None
    }
}

/// Items converted before the task lets others run.
const ITEMS_PER_TURN: usize = 256;

/// A conversion and the lanes it stands between.
pub(crate) struct Running<In: LaneItem, Out: LaneItem> {
    pub(crate) input: Cursor<In>,
    pub(crate) output: LaneWriter<Out>,
    pub(crate) bell: Bell,
    /// The conversion at work, with the codec it was made for.
    pub(crate) conversion: (Codec, Box<dyn Conversion<In, Out>>),
    /// Makes another one when the source changes its codec.
    #[allow(clippy::type_complexity)]
    pub(crate) make: Box<dyn Fn(&TrackParameters) -> Option<Box<dyn Conversion<In, Out>>> + Send>,
    /// Takes the derived lane away if nobody reads it; says whether it did.
    pub(crate) retire: Box<dyn Fn(bool) -> bool + Send>,
}

impl<In: LaneItem, Out: LaneItem> Running<In, Out> {
    /// Converts until the input ends or nobody reads the output any more.
    pub(crate) async fn run(mut self) {
        loop {
            let turn = self.turn();
            self.output.ring();
            match turn {
                Turn::Ended => break,
                Turn::More => yield_now().await,
                Turn::Waiting => {
                    if self.output.readers() == 0 && (self.retire)(false) {
                        return;
                    }
                    self.bell.rung().await;
                }
            }
        }
        (self.retire)(true);
    }

    fn turn(&mut self) -> Turn {
        for _ in 0..ITEMS_PER_TURN {
            match self.input.next() {
                Next::Item(item) => self.conversion.1.item(item, &mut self.output),
                Next::Parameters(parameters) => {
                    let parameters = parameters.clone();
                    if !self.take_parameters(&parameters) {
                        return Turn::Ended;
                    }
                }
                Next::Discontinuity | Next::Lost { .. } => self.conversion.1.discontinuity(&mut self.output),
                Next::Empty => return Turn::Waiting,
                Next::Ended => return Turn::Ended,
            }
        }
        Turn::More
    }

    fn take_parameters(&mut self, parameters: &Arc<TrackParameters>) -> bool {
        if self.conversion.0 != parameters.codec {
            match (self.make)(parameters) {
                Some(conversion) => self.conversion = (parameters.codec, conversion),
                None => {
                    tracing::warn!(codec = %parameters.codec, "a conversion ends: the source changed to a codec that it cannot take");
                    return false;
                }
            }
        }
        self.conversion.1.parameters(parameters, &mut self.output);
        true
    }
}

impl<In: LaneItem, Out: LaneItem> Drop for Running<In, Out> {
    /// Also when a conversion panics: its readers come to an end instead of waiting for ever.
    fn drop(&mut self) {
        if std::thread::panicking() {
            (self.retire)(true);
        }
    }
}

enum Turn {
    More,
    Waiting,
    Ended,
}

/// Lets other tasks of the executor run once.
async fn yield_now() {
    let mut yielded = false;
    std::future::poll_fn(|context: &mut Context<'_>| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
