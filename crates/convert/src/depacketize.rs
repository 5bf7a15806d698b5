//! A frame lane from a packet lane.

use std::sync::Arc;

use headwater_graph::{Conversion, LaneWriter};
use headwater_media::{Codec, Frame, Packet, TrackKind, TrackParameters};
use headwater_rtp::{Depacketized, Depacketizer, Losses, Reorder, depacketizer};

use crate::statistics::{FRAMES_DROPPED, PACKETS_LOST, PACKETS_MALFORMED};

/// Puts packets in order and frames together.
pub(crate) struct Depacketize {
    input: TrackParameters,
    window: Reorder,
    depacketizer: Box<dyn Depacketizer>,
    losses: Losses,
}

impl Depacketize {
    pub(crate) fn new(input: &TrackParameters) -> Option<Depacketize> {
        Some(Depacketize {
            input: input.clone(),
            window: Reorder::new(input.clock_rate),
            depacketizer: depacketizer(input)?,
            losses: Losses::default(),
        })
    }

    fn put_out(&mut self, out: &mut LaneWriter<Frame>) {
        while let Some(item) = self.depacketizer.pull() {
            match item {
                Depacketized::Parameters(parameters) => out.set_parameters(parameters),
                Depacketized::Frame(frame) => out.push(frame),
            }
        }
    }

    fn take_note(&mut self, out: &LaneWriter<Frame>) {
        let losses = self.depacketizer.losses();
        if losses == self.losses {
            return;
        }
        PACKETS_LOST.follow(self.losses.packets_lost, losses.packets_lost);
        PACKETS_MALFORMED.follow(self.losses.packets_malformed, losses.packets_malformed);
        FRAMES_DROPPED.follow(self.losses.frames_dropped, losses.frames_dropped);
        self.losses = losses;
        // What was lost or dropped leaves nothing to decode before the next key frame. The source limits how often
        // it passes such wishes on.
        if self.input.kind() == TrackKind::Video {
            out.demand().request_key_frame();
        }
    }
}

impl Conversion<Packet, Frame> for Depacketize {
    fn parameters(&mut self, parameters: &Arc<TrackParameters>, out: &mut LaneWriter<Frame>) {
        if **parameters != self.input
            && let Some(changed) = Depacketize::new(parameters)
        {
            *self = changed;
        }
        // Readers of frames need the decoder configuration; where it comes in band they wait for it.
        if is_complete(parameters) {
            out.share_parameters(parameters);
        }
    }

    fn item(&mut self, packet: &Packet, out: &mut LaneWriter<Frame>) {
        let depacketizer = &mut self.depacketizer;
        self.window.push(packet, |packet| depacketizer.push(packet));
        self.put_out(out);
        self.take_note(out);
    }

    fn discontinuity(&mut self, out: &mut LaneWriter<Frame>) {
        self.window.reset();
        self.depacketizer.reset();
        out.discontinuity();
    }
}

/// Whether a decoder can be set up with these parameters alone.
fn is_complete(parameters: &TrackParameters) -> bool {
    match parameters.codec {
        Codec::Vp8 => parameters.video().is_some_and(|video| video.width > 0),
        codec if codec.kind() == TrackKind::Video => !parameters.config.is_empty(),
        _ => true,
    }
}
