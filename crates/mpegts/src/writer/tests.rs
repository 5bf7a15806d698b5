use std::collections::HashMap;

use bytes::Bytes;
use headwater_codec::{aac::AudioSpecificConfig, parameters::from_config};
use headwater_media::Codec;
use mpeg2ts::{
    pes::{PesPacket, PesPacketReader, ReadPesPacket},
    ts::{ReadTsPacket, TsPacketReader, TsPayload},
};

use super::*;
use crate::PACKET_BYTES;

fn video() -> TrackParameters {
    let sps = [
        0x67, 0x42, 0xc0, 0x0d, 0xda, 0x05, 0x07, 0xe8, 0x40, 0x00, 0x00, 0x03, 0x00, 0x40, 0x00, 0x00, 0x0c, 0x83,
        0xc5, 0x0a, 0xa8,
    ];
    let pps = [0x68, 0xce, 0x0f, 0xc8];
    let record = headwater_codec::h264::AvcConfig::from_parameter_sets(
        vec![Bytes::copy_from_slice(&sps)],
        vec![Bytes::copy_from_slice(&pps)],
    );
    TrackParameters { config: record.unwrap().write(), ..from_config(Codec::H264, Bytes::new()).unwrap() }
}

fn audio() -> TrackParameters {
    from_config(Codec::Aac, AudioSpecificConfig::low_complexity(48_000, 2).write()).unwrap()
}

fn nal(kind: u8, bytes: usize) -> Vec<u8> {
    let mut frame = Vec::new();
    let unit: Vec<u8> = std::iter::once(kind).chain((0..bytes).map(|at| at as u8 | 1)).collect();
    headwater_codec::nal::push(&unit, &mut frame);
    frame
}

fn unit(time: u64, random_access: bool, data: &[u8]) -> Unit<'_> {
    Unit { pts: time + 3_000, dts: time, random_access, data }
}

fn read(bytes: &[u8]) -> Vec<PesPacket<Vec<u8>>> {
    let mut reader = PesPacketReader::new(TsPacketReader::new(bytes));
    let mut packets = Vec::new();
    while let Some(packet) = reader.read_pes_packet().unwrap() {
        packets.push(packet);
    }
    packets
}

#[test]
fn another_implementation_reads_the_frames_and_their_times() {
    let mut writer = Writer::new([&video(), &audio()]).unwrap();
    let mut out = Vec::new();
    writer.tables(&mut out);
    let (key, delta) = (nal(0x65, 5_000), nal(0x41, 170));
    let sound = [7; 300];
    writer.units(0, &[unit(900_000, true, &key)], &mut out).unwrap();
    let sounds =
        [0, 1, 2].map(|index| Unit { pts: 900_000 + index * 1_920, ..unit(900_000 + index * 1_920, true, &sound) });
    writer.units(1, &sounds, &mut out).unwrap();
    writer.units(0, &[unit(903_600, false, &delta)], &mut out).unwrap();
    let packets = read(&out);
    let [first, second, third] = &packets[..] else { panic!("{}", packets.len()) };
    let mut by_stream: Vec<_> = [first, second, third].into();
    by_stream.sort_by_key(|packet| (packet.header.stream_id.as_u8(), packet.header.pts.map(|time| time.as_u64())));
    let [sound_packet, key_packet, delta_packet] = by_stream[..] else { panic!() };
    assert_eq!((sound_packet.header.stream_id.as_u8(), sound_packet.data.len()), (0xc0, 3 * 307));
    assert_eq!(&sound_packet.data[..2], [0xff, 0xf1]);
    assert_eq!(key_packet.header.pts.unwrap().as_u64(), 993_000);
    assert_eq!(key_packet.header.dts.unwrap().as_u64(), 990_000);
    assert_eq!(&key_packet.data[..6], [0, 0, 0, 1, 9, 0xf0], "a delimiter comes first");
    assert_eq!(key_packet.data.len(), 6 + 4 + 21 + 4 + 4 + 4 + 5_001, "then the parameter sets");
    assert_eq!(delta_packet.data[6..], [&[0, 0, 0, 1][..], &delta[4..]].concat());
}

#[test]
fn each_length_fills_whole_packets_whose_counters_go_on() {
    let mut writer = Writer::new([&video()]).unwrap();
    let mut out = Vec::new();
    writer.tables(&mut out);
    for length in 1..600 {
        let frame = nal(0x41, length);
        writer.units(0, &[unit(90_000 + length as u64 * 3_600, false, &frame)], &mut out).unwrap();
        if length == 300 {
            writer.change([&video(), &audio()]).unwrap();
            writer.tables(&mut out);
        }
    }
    assert_eq!(out.len() % PACKET_BYTES, 0);
    let mut next = HashMap::new();
    for packet in out.chunks(PACKET_BYTES) {
        let pid = u16::from_be_bytes([packet[1] & 0x1f, packet[2]]);
        let counter = packet[3] & 0x0f;
        let expected = next.insert(pid, (counter + 1) & 0x0f).unwrap_or(counter);
        assert_eq!((packet[0], counter), (0x47, expected));
    }
    let packets = read(&out);
    assert_eq!(packets.len(), 599);
    for (length, packet) in (1..).zip(&packets) {
        assert_eq!(packet.data.len(), 6 + 4 + 1 + length);
    }
}

#[test]
fn the_tables_name_the_streams_and_the_clock_comes_before_the_frames() {
    let mut writer = Writer::new([&audio(), &video()]).unwrap();
    let mut out = Vec::new();
    writer.tables(&mut out);
    let key = nal(0x65, 10);
    writer.units(1, &[unit(0x1_ffff_ffff, true, &key)], &mut out).unwrap();
    let mut reader = TsPacketReader::new(&out[..]);
    let mut seen = (0, 0);
    while let Some(packet) = reader.read_ts_packet().unwrap() {
        match packet.payload {
            Some(TsPayload::Pat(pat)) => assert_eq!(pat.table[0].program_map_pid.as_u16(), 0x1000),
            Some(TsPayload::Pmt(pmt)) => {
                assert_eq!(pmt.pcr_pid.unwrap().as_u16(), 0x101);
                let types: Vec<_> = pmt.es_info.iter().map(|info| info.stream_type as u8).collect();
                assert_eq!(types, [0x0f, 0x1b]);
                seen.0 += 1;
            }
            Some(_) => {
                let field = packet.adaptation_field.unwrap();
                assert!(field.random_access_indicator);
                let clock = field.pcr.unwrap().as_u64() / 300;
                assert_eq!(clock, 89_999 - 9_000, "33 bits wrap");
                seen.1 += 1;
            }
            None => panic!(),
        }
    }
    assert_eq!(seen, (1, 1));
}

#[test]
fn what_transport_streams_do_not_carry_is_refused() {
    let opus = from_config(Codec::Opus, Bytes::new()).unwrap();
    assert_eq!(Writer::new([&opus]).unwrap_err(), TsError::Codec(Codec::Opus));
    let mut writer = Writer::new([&video(), &audio()]).unwrap();
    let mut out = Vec::new();
    assert!(writer.units(0, &[unit(0, true, &[0, 0, 0, 9, 1])], &mut out).is_err(), "a length beyond the frame");
    assert_eq!(writer.units(1, &[unit(0, true, &[0; 9_000])], &mut out), Err(TsError::Adts));
    assert!(out.is_empty());
}
