//! Any bytes for the readers of segments: MPEG-TS and fragmented MP4.

use bytes::Bytes;
use headwater_mp4::Movie;
use headwater_mpegts::Reader;

/// A transport stream in two pieces, the first as many packets long as the first byte says; each picture has its times.
pub fn transport_stream(data: &[u8]) {
    let Some((packets, data)) = data.split_first() else { return };
    let (first, second) = data.split_at(data.len().min(usize::from(*packets) * 188));
    let mut reader = Reader::new();
    for piece in [first, second] {
        for unit in reader.read(piece).unwrap_or_default() {
            assert!(unit.data.len() <= data.len());
            assert!(unit.pts.unwrap_or(0).max(unit.dts.unwrap_or(0)) < 1 << 33);
        }
    }
}

/// An init segment behind two bytes of its length, and then fragments of it.
pub fn movie(data: &[u8]) {
    let Some((length, data)) = data.split_first_chunk::<2>() else { return };
    let Some((init, fragments)) = data.split_at_checked(usize::from(u16::from_be_bytes(*length))) else { return };
    let Ok(movie) = Movie::parse(init) else { return };
    let fragments = Bytes::copy_from_slice(fragments);
    for (track, sample) in movie.samples(&fragments).unwrap_or_default() {
        assert!(track.clock_rate.hertz() > 0 && sample.end() >= sample.decode_time);
    }
}
