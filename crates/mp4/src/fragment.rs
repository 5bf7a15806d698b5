//! Movie fragments: `moof` and `mdat`.

use bytes::{BufMut, Bytes, BytesMut};
use mp4_atom::{Encode, Mfhd, Moof, Tfdt, Tfhd, Traf, Trun, TrunEntry};

use crate::{Mp4Error, Sample};

/// `sample_depends_on` is 2: depends on no other (ISO/IEC 14496-12 §8.8.3.1).
pub(crate) const SYNC: u32 = 0x0200_0000;
/// Depends on others, and `sample_is_non_sync_sample`.
const NOT_SYNC: u32 = 0x0101_0000;
const MDAT_HEAD: usize = 8;

/// Samples of one track that follow each other.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// The track's number, as in its init segment.
    pub track: u32,
    /// The samples, in the order of decoding; at least one.
    pub samples: &'a [Sample],
}

/// A movie fragment: the boxes before the media, and the media, which is not copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// The `moof` and the head of the `mdat`.
    pub head: Bytes,
    /// The frames in the order of the runs, shared with whoever made them.
    pub payload: Vec<Bytes>,
}

impl Fragment {
    /// Its size in bytes.
    pub fn len(&self) -> usize {
        self.payload.iter().map(Bytes::len).sum::<usize>() + self.head.len()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.head.is_empty()
    }

    /// All that is to be sent, in order.
    pub fn pieces(&self) -> impl Iterator<Item = &Bytes> + Clone {
        std::iter::once(&self.head).chain(&self.payload)
    }

    /// The same in one piece, which copies it.
    pub fn join(&self) -> Bytes {
        let mut whole = BytesMut::with_capacity(self.len());
        self.pieces().for_each(|piece| whole.put_slice(piece));
        whole.freeze()
    }
}

/// Writes a fragment of one run for each of some tracks.
///
/// `sequence` counts the fragments of a presentation from one (ISO/IEC 14496-12 §8.8.5). Each run's `tfdt` is the
/// decode time of its first sample, in 64 bits; composition offsets are signed.
///
/// # Errors
/// A run is empty or its samples do not follow each other, or the whole is larger than 2 GiB.
pub fn fragment(sequence: u32, runs: &[Run<'_>]) -> Result<Fragment, Mp4Error> {
    if runs.is_empty() {
        return Err(Mp4Error::Nothing { what: "a fragment without runs" });
    }
    let mut moof = Moof {
        mfhd: Mfhd { sequence_number: sequence },
        traf: runs.iter().map(track_fragment).collect::<Result<_, _>>()?,
    };
    let mut head = encode(&moof)?;
    let mut offset = head.len() + MDAT_HEAD;
    for (traf, run) in moof.traf.iter_mut().zip(runs) {
        for trun in &mut traf.trun {
            trun.data_offset = Some(i32::try_from(offset).map_err(|_| Mp4Error::TooLarge)?);
        }
        offset += run.samples.iter().map(|sample| sample.data.len()).sum::<usize>();
    }
    let mdat = offset - head.len();
    head.clear();
    moof.encode(&mut head)?;
    head.extend_from_slice(&i32::try_from(mdat).map_err(|_| Mp4Error::TooLarge)?.to_be_bytes());
    head.extend_from_slice(b"mdat");
    let payload = runs.iter().flat_map(|run| run.samples).map(|sample| sample.data.clone()).collect();
    Ok(Fragment { head: head.into(), payload })
}

fn encode(moof: &Moof) -> Result<Vec<u8>, Mp4Error> {
    let mut bytes = Vec::with_capacity(256);
    moof.encode(&mut bytes)?;
    Ok(bytes)
}

fn track_fragment(run: &Run<'_>) -> Result<Traf, Mp4Error> {
    let first = run.samples.first().ok_or(Mp4Error::Nothing { what: "a run without samples" })?;
    for (before, after) in run.samples.iter().zip(run.samples.iter().skip(1)) {
        if before.end() != after.decode_time {
            return Err(Mp4Error::Hole { track: run.track, end: before.end(), begin: after.decode_time });
        }
    }
    let all_sync = run.samples.iter().all(|sample| sample.sync);
    let in_order = run.samples.iter().all(|sample| sample.composition_offset == 0);
    let entries = run.samples.iter().map(|sample| entry(sample, all_sync, in_order)).collect::<Result<Vec<_>, _>>()?;
    Ok(Traf {
        tfhd: Tfhd {
            track_id: run.track,
            default_sample_flags: all_sync.then_some(SYNC),
            default_base_is_moof: true,
            ..Tfhd::default()
        },
        tfdt: Some(Tfdt { base_media_decode_time: first.decode_time }),
        // The offset is filled in when the size of the whole box is known; its own size does not change by that.
        trun: vec![Trun { data_offset: Some(0), samples: entries.into() }],
        ..Traf::default()
    })
}

fn entry(sample: &Sample, all_sync: bool, in_order: bool) -> Result<TrunEntry, Mp4Error> {
    Ok(TrunEntry {
        duration: Some(sample.duration),
        size: Some(u32::try_from(sample.data.len()).map_err(|_| Mp4Error::TooLarge)?),
        flags: (!all_sync).then_some(if sample.sync { SYNC } else { NOT_SYNC }),
        cts: (!in_order).then_some(i64::from(sample.composition_offset)),
    })
}

#[cfg(test)]
mod tests;
