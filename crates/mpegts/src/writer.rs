//! Frames of several tracks -> transport packets.

use headwater_media::TrackParameters;

use crate::{
    elementary::Elementary,
    error::TsError,
    packet::{Pid, Start},
    pes,
    tables::{Entry, PMT, pat, pmt},
};

/// The id of the packets of the first track; the others follow.
const FIRST: u16 = 0x100;
/// The clock runs this far ahead of the frames, so that a decoder has them before it needs them: 100 ms.
const CLOCK_AHEAD: u64 = 9_000;
/// Added to all times, so that the clock can be ahead of the first frame: 1 s.
const TIME_ADDED: u64 = 90_000;

/// A frame to be written. Times are in ticks of 90 kHz.
#[derive(Clone, Copy, Debug)]
pub struct Unit<'a> {
    /// When it is shown.
    pub pts: u64,
    /// When it is decoded.
    pub dts: u64,
    /// Whether a decoder can start here.
    pub random_access: bool,
    /// The coded bytes, as [`headwater_media::Frame`] has them.
    pub data: &'a [u8],
}

/// Writes one program. Continuity counters go on from one call to the next.
#[derive(Debug)]
pub struct Writer {
    tracks: Vec<(Pid, Elementary)>,
    pat: Pid,
    pmt: Pid,
    /// The track that carries the clock.
    clock: usize,
    /// Reused for each unit.
    payload: Vec<u8>,
}

impl Writer {
    /// Writes these tracks.
    ///
    /// # Errors
    /// A codec that transport streams do not carry, or a configuration record that cannot be read.
    pub fn new<'a>(tracks: impl IntoIterator<Item = &'a TrackParameters>) -> Result<Writer, TsError> {
        let track = |(number, parameters)| Ok((Pid::new(number), Elementary::new(parameters)?));
        let tracks: Vec<_> = (FIRST..).zip(tracks).map(track).collect::<Result<_, TsError>>()?;
        let clock = tracks.iter().position(|(_, elementary)| elementary.is_video()).unwrap_or(0);
        Ok(Writer { tracks, pat: Pid::new(0), pmt: Pid::new(PMT), clock, payload: Vec::new() })
    }

    /// Takes up other parameters and other tracks, and goes on counting packets where it was.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn change<'a>(&mut self, tracks: impl IntoIterator<Item = &'a TrackParameters>) -> Result<(), TsError> {
        let mut changed = Writer::new(tracks)?;
        for ((pid, _), (before, _)) in changed.tracks.iter_mut().zip(&self.tracks) {
            *pid = *before;
        }
        (changed.pat, changed.pmt) = (self.pat, self.pmt);
        *self = changed;
        Ok(())
    }

    /// Writes the tables, which a decoder needs before anything else.
    pub fn tables(&mut self, out: &mut Vec<u8>) {
        let entry =
            |(pid, elementary): &(Pid, Elementary)| Entry { pid: pid.number, stream_type: elementary.stream_type() };
        let entries: Vec<Entry> = self.tracks.iter().map(entry).collect();
        let clock = self.tracks.get(self.clock).map_or(0x1fff, |(pid, _)| pid.number);
        self.pat.write(Start::default(), &pat(), out);
        self.pmt.write(Start::default(), &pmt(clock, &entries), out);
    }

    /// Writes frames of one track in one packet of its stream: one picture, or packets of sound that follow each
    /// other.
    ///
    /// # Errors
    /// A frame that cannot be read; nothing of it is written.
    pub fn units(&mut self, track: usize, units: &[Unit<'_>], out: &mut Vec<u8>) -> Result<(), TsError> {
        let (Some((pid, elementary)), Some(first)) = (self.tracks.get_mut(track), units.first()) else { return Ok(()) };
        self.payload.clear();
        for unit in units {
            elementary.write(unit.random_access, unit.data, &mut self.payload)?;
        }
        let dts = first.dts.saturating_add(TIME_ADDED);
        let pts = first.pts.saturating_add(TIME_ADDED).max(dts);
        let stream = if elementary.is_video() { pes::VIDEO } else { pes::AUDIO };
        let mut packet = pes::header(stream, pts, dts, self.payload.len());
        packet.extend_from_slice(&self.payload);
        let clock = (track == self.clock).then(|| dts - CLOCK_AHEAD);
        pid.write(Start { random_access: first.random_access, clock }, &packet, out);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
