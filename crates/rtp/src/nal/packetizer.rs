//! Cuts frames of NAL units into packets (RFC 6184 §5.6 to §5.8, RFC 7798 §4.4).

use std::marker::PhantomData;

use bytes::Bytes;
use headwater_codec::nal::{self, Nals};
use headwater_media::{Frame, Packet, TrackParameters};
use smallvec::SmallVec;

use crate::order::Timeline;
use crate::writer::{FrameWriter, PacketWriter, spread};
use crate::{Packetizer, PacketizerOptions};

use super::{NalFormat, Role};

/// Small units travel together, large ones in fragments of equal size.
pub(crate) struct NalPacketizer<F> {
    options: PacketizerOptions,
    writer: PacketWriter,
    timeline: Timeline,
    /// Sent before each key frame that does not bring its own.
    parameter_sets: Vec<Bytes>,
    dropped: u64,
    format: PhantomData<F>,
}

type NalList<'a> = SmallVec<[&'a [u8]; 16]>;

impl<F: NalFormat> NalPacketizer<F> {
    pub(crate) fn new(options: PacketizerOptions) -> NalPacketizer<F> {
        NalPacketizer {
            options,
            writer: PacketWriter::default(),
            timeline: Timeline::new(options.reordering),
            parameter_sets: Vec::new(),
            dropped: 0,
            format: PhantomData,
        }
    }
}

impl<F: NalFormat> Packetizer for NalPacketizer<F> {
    fn set_parameters(&mut self, parameters: &TrackParameters) {
        self.parameter_sets = F::sets_of(parameters);
        if self.options.promise_no_reordering {
            for set in &mut self.parameter_sets {
                if let Some(rewritten) = F::without_reordering(set) {
                    *set = rewritten;
                }
            }
        }
    }

    fn packetize(&mut self, frame: &Frame, out: &mut Vec<Packet>) {
        let Some(timestamp) = self.timeline.place(frame) else {
            self.dropped += 1;
            return;
        };
        let data = match self.options.promise_no_reordering && frame.random_access {
            true => with_promise::<F>(&frame.data),
            false => frame.data.clone(),
        };
        let sets = if frame.random_access { &self.parameter_sets[..] } else { &[] };
        match units::<F>(&data, sets) {
            Some(units) => {
                let mut packets = self.writer.frame(timestamp, frame.random_access, out);
                write_units::<F>(&units, self.options.payload_max(), &mut packets);
                packets.finish();
            }
            None => self.dropped += 1,
        }
    }

    fn discontinuity(&mut self) {
        self.timeline.discontinuity();
    }

    fn has_reordered(&self) -> bool {
        self.timeline.has_reordered
    }

    fn frames_dropped(&self) -> u64 {
        self.dropped
    }
}

/// The units to send for a frame, `sets` first if it does not bring its own; `None` if it is malformed or holds no
/// picture.
fn units<'a, F: NalFormat>(frame: &'a [u8], sets: &'a [Bytes]) -> Option<NalList<'a>> {
    let mut units = NalList::new();
    let (mut brings_sets, mut has_picture) = (false, false);
    for nal in Nals::new(frame) {
        let nal = nal.ok()?;
        let role = F::role(nal);
        brings_sets |= role == Role::ParameterSet;
        has_picture |= role == Role::Slice;
        if role != Role::Padding {
            units.push(nal);
        }
    }
    if !brings_sets {
        units.insert_many(0, sets.iter().map(|set| &set[..]));
    }
    has_picture.then_some(units)
}

/// The frame with its parameter sets promising no reordering; as it is, if it is malformed.
fn with_promise<F: NalFormat>(frame: &Bytes) -> Bytes {
    let mut out = Vec::with_capacity(frame.len() + 16);
    for unit in Nals::new(frame) {
        let Ok(unit) = unit else { return frame.clone() };
        nal::push(F::without_reordering(unit).as_deref().unwrap_or(unit), &mut out);
    }
    out.into()
}

/// Writes the units in order: runs of small ones as aggregates, large ones as fragments.
fn write_units<F: NalFormat>(units: &[&[u8]], max: usize, packets: &mut FrameWriter<'_>) {
    let mut rest = units;
    while let Some((nal, tail)) = rest.split_first() {
        if nal.len() > max {
            write_fragments::<F>(nal, max, packets);
            rest = tail;
            continue;
        }
        let count = fitting::<F>(rest, max);
        let (together, tail) = rest.split_at_checked(count).unwrap_or((rest, &[]));
        match together {
            [nal] => packets.push([*nal]),
            nals => write_aggregate::<F>(nals, packets),
        }
        rest = tail;
    }
}

/// How many of the first units fit into one aggregate; at least one.
fn fitting<F: NalFormat>(units: &[&[u8]], max: usize) -> usize {
    let mut size = F::HEADER_BYTES;
    let fits = |nal: &&&[u8]| {
        size += 2 + nal.len();
        size <= max
    };
    units.iter().take_while(fits).count().max(1)
}

fn write_aggregate<F: NalFormat>(nals: &[&[u8]], packets: &mut FrameWriter<'_>) {
    let prefix = F::aggregate_prefix(nals);
    let lengths: SmallVec<[[u8; 2]; 16]> = nals.iter().map(|nal| (nal.len() as u16).to_be_bytes()).collect();
    let units = lengths.iter().zip(nals).flat_map(|(length, nal)| [&length[..], *nal]);
    packets.push(std::iter::once(&prefix[..]).chain(units));
}

fn write_fragments<F: NalFormat>(nal: &[u8], max: usize, packets: &mut FrameWriter<'_>) {
    let prefix_bytes = F::HEADER_BYTES + 1;
    let Some((_, body)) = nal.split_at_checked(F::HEADER_BYTES) else {
        return;
    };
    let part_bytes = spread(body.len(), max - prefix_bytes);
    let parts = body.chunks(part_bytes);
    let last = parts.len().saturating_sub(1);
    for (index, part) in parts.enumerate() {
        packets.push([&F::fragment_prefix(nal, index == 0, index == last)[..], part]);
    }
}
