//! AAC and Opus.

use headwater_codec::aac::{AdtsHeader, AudioSpecificConfig};
use headwater_codec::opus::{OpusHead, packet_samples};
use headwater_codec::{codec_string, parameters};
use headwater_media::{AudioFormat, Codec};

use crate::fixtures::hex;

#[test]
fn configurations_tell_rate_and_channels() {
    // Configuration, core rate, output rate, channels, samples of a frame, name.
    let cases = [
        ("1210", 44_100, 44_100, 2, 1_024, "mp4a.40.2"),
        ("1190", 48_000, 48_000, 2, 1_024, "mp4a.40.2"),
        ("1188", 48_000, 48_000, 1, 1_024, "mp4a.40.2"),
        ("11b0", 48_000, 48_000, 6, 1_024, "mp4a.40.2"),
        ("1214", 44_100, 44_100, 2, 960, "mp4a.40.2"),
        ("2b920800", 22_050, 44_100, 2, 2_048, "mp4a.40.5"),
        ("eb098800", 24_000, 48_000, 2, 2_048, "mp4a.40.29"),
        ("139056e5a0", 22_050, 44_100, 2, 2_048, "mp4a.40.5"),
        ("138856e5a5480 0", 22_050, 44_100, 1, 2_048, "mp4a.40.5"),
        ("138856e5a54880", 22_050, 44_100, 2, 2_048, "mp4a.40.29"),
        ("1780 2ee0 10", 24_000, 24_000, 2, 1_024, "mp4a.40.2"),
    ];
    for (config, core, rate, channels, samples, name) in cases {
        let config = hex(config);
        let facts = AudioSpecificConfig::parse(&config).unwrap();
        assert_eq!((facts.core_sample_rate, facts.sample_rate()), (core, rate), "{name} {core}");
        assert_eq!((facts.channels(), facts.frame_samples()), (channels, samples));
        let again = AudioSpecificConfig::parse(&facts.write()).unwrap();
        assert_eq!(again, facts);
        let track = parameters::from_config(Codec::Aac, config).unwrap();
        assert_eq!(track.audio(), Some(AudioFormat { sample_rate: rate, channels }));
        assert_eq!(track.clock_rate.hertz(), rate);
        assert_eq!(codec_string(&track).as_deref(), Some(name));
    }
}

#[test]
fn channels_of_a_program_config_element_are_counted() {
    // Channel configuration 0; one front pair, no other element, no comment.
    let facts = AudioSpecificConfig::parse(&hex("1200 05 04 00 00 20 00")).unwrap();
    assert_eq!(facts.channels(), 2);
}

#[test]
fn configurations_that_are_not_aac_are_refused() {
    for bad in ["", "12", "f8", "1240", "0010", "1787ffffff10", "8210"] {
        assert!(AudioSpecificConfig::parse(&hex(bad)).is_err(), "{bad}");
    }
}

#[test]
fn adts_headers_make_the_same_configuration() {
    let header = AdtsHeader::parse(&hex("fff15080119ffcde02004c61")).unwrap();
    assert_eq!((header.sample_rate, header.channels, header.header_bytes, header.frame_bytes), (44_100, 2, 7, 140));
    assert_eq!(header.config().write(), hex("1210"));
    for bad in ["", "fff150", "00f15080119ffc", "fff1748011 9ffc", "fff15080001ffc", "fff15080119ffd"] {
        assert!(AdtsHeader::parse(&hex(bad)).is_err(), "{bad}");
    }
}

#[test]
fn opus_headers_go_both_ways() {
    let bytes = hex("4f70757348656164 01 02 3801 80bb0000 0000 00");
    let head = OpusHead::parse(&bytes).unwrap();
    assert_eq!(head, OpusHead::new(2, 48_000));
    assert_eq!(head.write(), bytes);
    let surround = hex("4f70757348656164 01 06 3801 80bb0000 0000 01 04 02 000401020305");
    assert_eq!(OpusHead::parse(&surround).unwrap().write(), surround);
    let track = parameters::from_config(Codec::Opus, bytes).unwrap();
    assert_eq!(track.audio(), Some(AudioFormat { sample_rate: 48_000, channels: 2 }));
    for bad in ["4f70757348656164 01 00 3801 80bb0000 0000 00", "4f70757348656164 10 02 3801 80bb0000 0000 00"] {
        assert!(OpusHead::parse(&hex(bad)).is_err());
    }
}

#[test]
fn opus_packets_tell_their_duration() {
    let cases = [
        ("00", 480),
        ("08", 960),
        ("10", 1_920),
        ("18", 2_880),
        ("60", 480),
        ("68", 960),
        ("80", 120),
        ("98", 960),
        ("fc", 960),
        ("fd", 1_920),
        ("ff03", 2_880),
        ("ff06", 5_760),
    ];
    for (packet, samples) in cases {
        assert_eq!(packet_samples(&hex(packet)), Ok(samples), "{packet}");
    }
    for bad in ["", "ff", "ff00", "ff07", "1b3f"] {
        assert!(packet_samples(&hex(bad)).is_err(), "{bad}");
    }
}
