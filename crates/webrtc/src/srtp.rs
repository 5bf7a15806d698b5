//! SRTP and SRTCP: media and reports, both ways.
//!
//! | document | what |
//! |---|---|
//! | RFC 3711 | packet formats, key derivation, replay lists, AES in counter mode with HMAC-SHA1 |
//! | RFC 7714 | AES-GCM |
//! | RFC 5764 §4.2 | which part of the DTLS key material is whose |
//!
//! There is no key derivation rate and no master key identifier, as WebRTC uses neither.

mod cipher;
mod gcm;
mod keys;
mod patch;
mod replay;
#[cfg(test)]
mod tests;

use cipher::Cipher;
pub(crate) use keys::{Master, Profile};
pub(crate) use patch::Patch;
pub(crate) use replay::ReplayWindow;

/// The first 8 bytes of a report are sent in the clear (RFC 3711 §3.4).
const REPORT_HEADER_BYTES: usize = 8;
/// What says whether a report is encrypted, and its number.
const INDEX_BYTES: usize = 4;
const ENCRYPTED: u32 = 1 << 31;

/// Seals what this side sends.
///
/// The caller must not give two different packets the same source and sequence number: the cipher would be broken.
#[derive(Debug)]
pub(crate) struct Sealer {
    media: Cipher,
    reports: Cipher,
    report_index: u32,
}

impl Sealer {
    /// `None` where the library refuses the keys, which it has no reason to.
    pub(crate) fn new(profile: Profile, master: &Master) -> Option<Sealer> {
        Some(Sealer {
            media: Cipher::new(profile, master, keys::MEDIA)?,
            reports: Cipher::new(profile, master, keys::REPORTS)?,
            report_index: 0,
        })
    }

    /// Has the processor fetch what media is sealed with.
    #[inline]
    pub(crate) fn prefetch(&self) {
        self.media.prefetch();
    }

    /// Bytes that sealing adds to a media packet.
    pub(crate) fn media_overhead(&self) -> usize {
        self.media.tag_bytes()
    }

    /// Bytes that sealing adds to a report.
    pub(crate) fn report_overhead(&self) -> usize {
        self.reports.tag_bytes() + INDEX_BYTES
    }

    /// Seals `payload` into `out`, which begins with the packet's header and is exactly as long as the sealed packet.
    ///
    /// `sequence` is extended: the part beyond 16 bits is the rollover counter, which has 32. What is beyond those is
    /// not sealed.
    #[inline]
    pub(crate) fn seal_media(&self, source: u32, sequence: u64, payload: &[u8], out: &mut [u8]) -> bool {
        self.media.seal_media(source, sequence, (payload, None), out)
    }

    /// The same for a payload of which a few bytes are to read otherwise.
    #[inline]
    pub(crate) fn seal_patched(
        &self,
        source: u32,
        sequence: u64,
        payload: (&[u8], Option<Patch>),
        out: &mut [u8],
    ) -> bool {
        self.media.seal_media(source, sequence, payload, out)
    }

    /// Seals a compound packet of reports. It stands at the front of `out`, which has
    /// [`report_overhead`](Self::report_overhead) bytes more.
    pub(crate) fn seal_reports(&mut self, out: &mut [u8]) -> bool {
        let Some(index) = self.report_index.checked_add(1).filter(|index| *index < ENCRYPTED) else {
            return false;
        };
        self.report_index = index;
        self.reports.seal_reports(index, out)
    }
}

/// Opens the media that the peer sends.
///
/// It keeps no list of what it has opened: the caller does, for each source.
#[derive(Debug)]
pub(crate) struct MediaOpener(Cipher);

impl MediaOpener {
    /// `None` where the library refuses the keys, which it has no reason to.
    pub(crate) fn new(profile: Profile, master: &Master) -> Option<MediaOpener> {
        Some(MediaOpener(Cipher::new(profile, master, keys::MEDIA)?))
    }

    /// Opens a packet in place and yields its payload, padding included. `header` is the length of its header with
    /// extensions; `sequence` is extended: the part beyond 16 bits is the rollover counter. `None` if it is not the
    /// peer's, and then what stands in `datagram` means nothing any more.
    #[inline]
    pub(crate) fn open<'a>(
        &self,
        source: u32,
        sequence: u64,
        header: usize,
        datagram: &'a mut [u8],
    ) -> Option<&'a mut [u8]> {
        self.0.open_media(source, sequence, header, datagram)
    }
}

/// Opens the reports that the peer sends.
#[derive(Debug)]
pub(crate) struct ReportOpener {
    cipher: Cipher,
    seen: ReplayWindow,
}

impl ReportOpener {
    /// `None` where the library refuses the keys, which it has no reason to.
    pub(crate) fn new(profile: Profile, master: &Master) -> Option<ReportOpener> {
        Some(ReportOpener { cipher: Cipher::new(profile, master, keys::REPORTS)?, seen: ReplayWindow::default() })
    }

    /// Has the processor fetch what reports are opened with.
    #[inline]
    pub(crate) fn prefetch(&self) {
        self.cipher.prefetch();
    }

    /// Opens a datagram into `into`, which is emptied first. `None` if it is not the peer's, or is not new.
    pub(crate) fn open<'a>(&mut self, datagram: &[u8], into: &'a mut Vec<u8>) -> Option<&'a [u8]> {
        let index = self.cipher.open_reports(datagram, into)?;
        // Only what proved to be the peer's moves the window (RFC 3711 §3.3.2).
        self.seen.accept(u64::from(index)).then_some(into.as_slice())
    }
}
