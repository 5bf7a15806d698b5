//! Finds the frames in the packets of a video track.

use std::collections::VecDeque;

use bytes::Bytes;
use headwater_media::{Frame, Packet, Ticks, TrackParameters};

use crate::{Depacketized, Depacketizer, Losses, RtpError};

/// The payload format of a video codec, reading.
pub(crate) trait FrameBuilder: Send {
    /// Whether this payload begins a frame, so that nothing of it is missing before; asked after a loss only.
    fn is_start(&self, payload: &[u8]) -> bool;

    /// Adds the payload of the next packet to the frame.
    fn add(&mut self, payload: &[u8]) -> Result<(), RtpError>;

    /// Ends the frame; `None` if the packets held no picture.
    fn finish(&mut self) -> Result<Option<Built>, RtpError>;

    /// Forgets the frame begun.
    fn clear(&mut self);
}

/// A complete frame.
pub(crate) struct Built {
    pub(crate) data: Bytes,
    pub(crate) random_access: bool,
    /// What a decoder must know from here on, if that has changed.
    pub(crate) parameters: Option<TrackParameters>,
}

/// Frames begin where the timestamp changes and end there or at a marker; what surrounds a loss is dropped.
pub(crate) struct VideoDepacketizer<B> {
    builder: B,
    next: Option<u64>,
    frame: FrameState,
    /// Nothing may be put out before a frame that a decoder can start at.
    waiting: bool,
    /// Packets before the next one are missing.
    after_gap: bool,
    last_dts: Option<Ticks>,
    ready: VecDeque<Depacketized>,
    losses: Losses,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum FrameState {
    /// Between frames.
    None,
    /// A frame with this time is being put together.
    Whole(Ticks),
    /// The rest of the frame with this time is passed over.
    Broken(Ticks),
}

impl<B: FrameBuilder> VideoDepacketizer<B> {
    pub(crate) fn new(builder: B) -> VideoDepacketizer<B> {
        VideoDepacketizer {
            builder,
            next: None,
            frame: FrameState::None,
            waiting: true,
            after_gap: false,
            last_dts: None,
            ready: VecDeque::new(),
            losses: Losses::default(),
        }
    }

    fn lose(&mut self, packets: u64) {
        self.losses.packets_lost = self.losses.packets_lost.saturating_add(packets);
        if let FrameState::Whole(time) = self.frame {
            self.spoil(time);
        }
        self.waiting = true;
        self.after_gap = true;
    }

    fn spoil(&mut self, time: Ticks) {
        self.builder.clear();
        self.losses.frames_dropped += 1;
        self.waiting = true;
        self.frame = FrameState::Broken(time);
    }

    fn begin(&mut self, packet: &Packet) {
        self.frame = FrameState::Whole(packet.timestamp);
        if std::mem::take(&mut self.after_gap) && !self.builder.is_start(&packet.payload) {
            self.spoil(packet.timestamp);
        }
    }

    fn finish(&mut self) {
        let FrameState::Whole(time) = std::mem::replace(&mut self.frame, FrameState::None) else {
            return;
        };
        match self.builder.finish() {
            Ok(None) => {}
            Ok(Some(built)) if self.waiting && !built.random_access => self.losses.frames_dropped += 1,
            Ok(Some(built)) => self.put_out(time, built),
            Err(_) => {
                self.spoil(time);
                self.frame = FrameState::None;
            }
        }
    }

    fn put_out(&mut self, time: Ticks, built: Built) {
        self.waiting = false;
        if let Some(parameters) = built.parameters {
            self.ready.push_back(Depacketized::Parameters(parameters));
        }
        // A source that reorders says only when a frame is shown; decoding time never runs backwards.
        let dts = self.last_dts.map_or(time, |last| last.max(time));
        self.last_dts = Some(dts);
        let frame = Frame { dts, pts: time, random_access: built.random_access, data: built.data };
        self.ready.push_back(Depacketized::Frame(frame));
    }
}

impl<B: FrameBuilder> Depacketizer for VideoDepacketizer<B> {
    fn push(&mut self, packet: &Packet) {
        match self.next {
            Some(next) if packet.sequence < next => return,
            Some(next) if packet.sequence > next => self.lose(packet.sequence - next),
            _ => {}
        }
        self.next = packet.sequence.checked_add(1);
        match self.frame {
            FrameState::Whole(time) | FrameState::Broken(time) if time == packet.timestamp => {}
            _ => {
                self.finish();
                self.begin(packet);
            }
        }
        if let FrameState::Whole(time) = self.frame
            && self.builder.add(&packet.payload).is_err()
        {
            self.losses.packets_malformed += 1;
            self.spoil(time);
        }
        if packet.marker {
            self.finish();
            self.frame = FrameState::None;
        }
    }

    fn pull(&mut self) -> Option<Depacketized> {
        self.ready.pop_front()
    }

    fn reset(&mut self) {
        self.builder.clear();
        self.next = None;
        self.frame = FrameState::None;
        self.waiting = true;
        self.after_gap = false;
        self.last_dts = None;
    }

    fn losses(&self) -> Losses {
        self.losses
    }
}
