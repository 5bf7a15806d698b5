//! Which enhanced codecs a peer takes, as its connect command says.
//!
//! Source: Enhanced RTMP v2, "Enhancing NetConnection connect Command".

use headwater_flv::{
    FourCc,
    amf::{Object, Value},
};
use headwater_media::Codec;

const CAN_DECODE: u32 = 1;
const CAN_FORWARD: u32 = 4;
/// `CapsExMask.Reconnect`.
const RECONNECT: u32 = 1;
/// We read multitrack and ModEx.
const CAPS_EX: f64 = 6.0;

/// What a peer can receive beyond the codecs of old.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    any_video: bool,
    any_audio: bool,
    codecs: Vec<Codec>,
    reconnects: bool,
}

impl Capabilities {
    /// Reads them from the command object of a connect.
    pub fn from_connect(object: &Object) -> Capabilities {
        let mut found = Capabilities::default();
        let flags = object.get("capsEx").and_then(Value::as_f64).unwrap_or(0.0) as u32;
        found.reconnects = flags & RECONNECT != 0;
        if let Some(Value::Array(list)) = object.get("fourCcList") {
            for name in list.iter().filter_map(Value::as_str) {
                found.any_video |= name == "*";
                found.any_audio |= name == "*";
                found.add(name);
            }
        }
        for map in ["videoFourCcInfoMap", "audioFourCcInfoMap"] {
            let Some(map_object) = object.get(map).and_then(Value::as_object) else { continue };
            for (name, flags) in map_object.iter() {
                let flags = flags.as_f64().unwrap_or(0.0) as u32;
                if flags & (CAN_DECODE | CAN_FORWARD) == 0 {
                    continue;
                }
                found.any_video |= name == "*" && map.starts_with("video");
                found.any_audio |= name == "*" && map.starts_with("audio");
                found.add(name);
            }
        }
        found
    }

    /// Whether the peer says that it takes this codec by its FourCC.
    pub fn takes(&self, codec: Codec) -> bool {
        let any = match codec.kind() {
            headwater_media::TrackKind::Video => self.any_video,
            headwater_media::TrackKind::Audio => self.any_audio,
        };
        any || self.codecs.contains(&codec)
    }

    /// Whether the peer connects anew by itself when it is asked to.
    pub fn reconnects(&self) -> bool {
        self.reconnects
    }

    /// Adds what we take to the object of a connect or of its answer.
    pub fn announce(object: &mut Object) {
        let names: Vec<Value> = FourCc::supported().map(|name| Value::from(name.to_string())).collect();
        object.push("fourCcList", names);
        for (map, kind) in [
            ("videoFourCcInfoMap", headwater_media::TrackKind::Video),
            ("audioFourCcInfoMap", headwater_media::TrackKind::Audio),
        ] {
            let ours = FourCc::supported().filter(|name| name.codec().is_some_and(|codec| codec.kind() == kind));
            let flags = f64::from(CAN_FORWARD);
            let entries = ours.fold(Object::new(), |map, name| map.with(name.to_string(), flags));
            object.push(map, entries);
        }
        object.push("capsEx", CAPS_EX);
    }

    fn add(&mut self, name: &str) {
        let fourcc = <[u8; 4]>::try_from(name.as_bytes()).ok().map(FourCc);
        if let Some(codec) = fourcc.and_then(FourCc::codec)
            && !self.codecs.contains(&codec)
        {
            self.codecs.push(codec);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_maps_and_wildcards_are_understood() {
        let list = |names: &[&str]| Value::Array(names.iter().map(|name| Value::from(*name)).collect());
        let cases: Vec<(Object, &[Codec], &[Codec])> = vec![
            (Object::new(), &[], &[Codec::Opus, Codec::H265]),
            (Object::new().with("fourCcList", list(&["hvc1", "Opus"])), &[Codec::H265, Codec::Opus], &[Codec::Av1]),
            (Object::new().with("fourCcList", list(&["*"])), &[Codec::H265, Codec::Opus], &[]),
            (
                Object::new().with("videoFourCcInfoMap", Object::new().with("*", 4.0).with("av01", 2.0)),
                &[Codec::Av1, Codec::Vp9],
                &[Codec::Opus],
            ),
            (
                Object::new().with("audioFourCcInfoMap", Object::new().with("Opus", 1.0).with("mp4a", 2.0)),
                &[Codec::Opus],
                &[Codec::Aac, Codec::H265],
            ),
        ];
        for (object, takes, refuses) in cases {
            let capabilities = Capabilities::from_connect(&object);
            assert!(takes.iter().all(|codec| capabilities.takes(*codec)), "{object:?}");
            assert!(!refuses.iter().any(|codec| capabilities.takes(*codec)), "{object:?}");
        }
    }

    #[test]
    fn who_connects_anew_when_asked_says_so_by_a_bit() {
        for (flags, reconnects) in [(0.0, false), (1.0, true), (6.0, false), (7.0, true), (-1.0, false)] {
            let object = Object::new().with("capsEx", flags);
            assert_eq!(Capabilities::from_connect(&object).reconnects(), reconnects, "{flags}");
        }
        assert!(!Capabilities::from_connect(&Object::new().with("capsEx", "1")).reconnects());
    }

    #[test]
    fn what_we_announce_says_that_we_take_all_we_know() {
        let mut object = Object::new();
        Capabilities::announce(&mut object);
        let capabilities = Capabilities::from_connect(&object);
        for codec in [Codec::H265, Codec::Av1, Codec::Vp9, Codec::Opus] {
            assert!(capabilities.takes(codec));
        }
    }
}
