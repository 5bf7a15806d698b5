//! Which codecs a viewer takes, by the query of its address.

use headwater_media::{Codec, TrackKind};

/// The codecs that a viewer takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accept {
    video: Vec<Codec>,
    audio: Vec<Codec>,
}

impl Accept {
    /// What `codecs=h264,opus` in a query says; all of a kind of which it names none. `known` is every codec that goes
    /// over the protocol and its name in the query, the best to convert to first.
    ///
    /// Names that are not known are passed over: a later version of a page may know more codecs than this server.
    pub fn of_query(query: Option<&str>, known: &[(Codec, &str)]) -> Accept {
        let named = query.unwrap_or_default().split('&').find_map(|pair| pair.strip_prefix("codecs="));
        let named: Vec<&str> = named.unwrap_or_default().split([',', '+']).flat_map(|name| name.split("%2C")).collect();
        let of = |kind: TrackKind| {
            let all: Vec<_> = known.iter().filter(|(codec, _)| codec.kind() == kind).collect();
            let is_named = |name: &str| named.iter().any(|one| one.eq_ignore_ascii_case(name));
            let chosen: Vec<Codec> = all.iter().filter(|(_, name)| is_named(name)).map(|(codec, _)| *codec).collect();
            if chosen.is_empty() { all.iter().map(|(codec, _)| *codec).collect() } else { chosen }
        };
        Accept { video: of(TrackKind::Video), audio: of(TrackKind::Audio) }
    }

    /// Those of a kind, the best first.
    pub fn codecs(&self, kind: TrackKind) -> &[Codec] {
        match kind {
            TrackKind::Video => &self.video,
            TrackKind::Audio => &self.audio,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [(Codec, &str); 6] = [
        (Codec::H264, "h264"),
        (Codec::H265, "h265"),
        (Codec::Av1, "av1"),
        (Codec::Vp9, "vp9"),
        (Codec::Aac, "aac"),
        (Codec::Opus, "opus"),
    ];

    fn check(query: Option<&str>, video: &[Codec], audio: &[Codec]) {
        let accept = Accept::of_query(query, &KNOWN);
        assert_eq!(accept.codecs(TrackKind::Video), video, "{query:?}");
        assert_eq!(accept.codecs(TrackKind::Audio), audio, "{query:?}");
    }

    #[test]
    fn a_viewer_takes_what_it_names_and_all_of_a_kind_that_it_does_not_name() {
        let video = [Codec::H264, Codec::H265, Codec::Av1, Codec::Vp9];
        let audio = [Codec::Aac, Codec::Opus];
        for query in [None, Some(""), Some("token=codecs"), Some("codecs="), Some("codecs=vp8,pcmu")] {
            check(query, &video, &audio);
        }
        check(Some("codecs=opus"), &video, &[Codec::Opus]);
        check(Some("token=a&codecs=VP9,aac"), &[Codec::Vp9], &[Codec::Aac]);
        check(Some("codecs=aac%2Ch264%2Cav1"), &[Codec::H264, Codec::Av1], &[Codec::Aac]);
    }
}
