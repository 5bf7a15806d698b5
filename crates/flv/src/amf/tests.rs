use bytes::{Bytes, BytesMut};
use headwater_media::limits;
use proptest::prelude::*;

use super::{Object, Value, read_all_amf0, read_amf0, read_amf3, write_amf0, write_amf3};
use crate::{FlvError, Metadata, Reader, read_script};

fn amf0(data: &[u8]) -> Result<Value, FlvError> {
    read_amf0(&mut Reader::new(Bytes::copy_from_slice(data)))
}

fn amf3(data: &[u8]) -> Result<Value, FlvError> {
    read_amf3(&mut Reader::new(Bytes::copy_from_slice(data)))
}

fn sample() -> Value {
    let nested = Object::new().with("pi", 3.5).with("list", vec![Value::Null, true.into(), "x".into()]);
    Value::EcmaArray(Object::new().with("name", "camera").with("nested", nested).with("when", Value::Date(1e12)))
}

#[test]
fn a_value_written_reads_back_equal() {
    let typed = Value::TypedObject("a.B".into(), Object::new().with("x", 1.0));
    let long = Value::from("y".repeat(65_536));
    for value in [sample(), typed, long, Value::Undefined, Value::Bytes(Bytes::from_static(b"\x00\xff"))] {
        let mut out = BytesMut::new();
        write_amf0(&value, &mut out);
        assert_eq!(amf0(&out), Ok(value.clone()));
        let mut out = BytesMut::new();
        write_amf3(&value, &mut out);
        assert_eq!(amf3(&out), Ok(value));
    }
}

#[test]
fn whole_numbers_of_amf3_keep_sign_and_size() {
    for number in [0, 1, -1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, 0x0fff_ffff, -0x1000_0000] {
        let mut out = BytesMut::new();
        write_amf3(&Value::Integer(number), &mut out);
        assert_eq!(amf3(&out), Ok(Value::Integer(number)));
    }
    let mut out = BytesMut::new();
    write_amf3(&Value::Integer(i32::MAX), &mut out);
    assert_eq!(amf3(&out), Ok(Value::Number(f64::from(i32::MAX))));
}

#[test]
fn amf3_references_to_strings_resolve_and_traits_are_reused() {
    // Two objects of one class with one sealed member, the second by reference to the traits.
    let data = b"\x09\x05\x01\x0a\x13\x03A\x03n\x04\x01\x0a\x01\x06\x02";
    let object = |value: Value| Value::TypedObject("A".into(), Object::new().with("n", value));
    assert_eq!(amf3(data), Ok(Value::Array(vec![object(Value::Integer(1)), object("n".into())])));
    assert!(matches!(amf3(b"\x06\x08"), Err(FlvError::Malformed(_))));
}

#[test]
fn amf3_arrays_with_names_and_vectors_read_as_data() {
    let mixed = amf3(b"\x09\x03\x03k\x03\x01\x04\x07").unwrap();
    let expected = Object::new().with("k", true).with("0", Value::Integer(7));
    assert_eq!(mixed, Value::EcmaArray(expected));
    let vector = amf3(b"\x0d\x05\x00\x00\x00\x00\x01\xff\xff\xff\xff").unwrap();
    assert_eq!(vector, Value::Array(vec![1.0.into(), (-1.0).into()]));
}

#[test]
fn an_amf0_message_may_switch_to_amf3_for_one_value() {
    let mut reader = Reader::new(Bytes::from_static(b"\x11\x04\x05\x01\x01"));
    assert_eq!(read_all_amf0(&mut reader), Ok(vec![Value::Integer(5), true.into()]));
}

#[test]
fn nesting_stops_at_its_limit() {
    let depth = limits::AMF_DEPTH.get_usize();
    let nested = |levels: usize| b"\x0a\x00\x00\x00\x01".repeat(levels);
    assert!(matches!(amf0(&[&nested(depth)[..], &[5]].concat()), Ok(Value::Array(_))));
    let before = limits::AMF_DEPTH.hits();
    assert!(matches!(amf0(&nested(depth + 1)), Err(FlvError::Limit(_))));
    assert!(matches!(amf0(&nested(1_000_000)), Err(FlvError::Limit(_))));
    assert!(matches!(amf0(&b"\x03\x00\x01a".repeat(1_000_000)), Err(FlvError::Limit(_))));
    assert!(matches!(amf3(&b"\x09\x03\x01".repeat(1_000_000)), Err(FlvError::Limit(_))));
    assert!(amf0(&b"\x11\x09\x03\x01\x11".repeat(1_000)).is_err());
    assert!(limits::AMF_DEPTH.hits() >= before + 4);
}

#[test]
fn an_announced_count_of_four_billion_elements_allocates_nothing() {
    let before = limits::AMF_ELEMENTS.hits();
    for data in [&b"\x0a\xff\xff\xff\xff"[..], b"\x11\x09\xff\xff\xff\xff\x01", b"\x11\x0d\xff\xff\xff\xff\x00"] {
        assert!(matches!(amf0(data), Err(FlvError::Limit(_))), "{data:x?}");
    }
    assert!(limits::AMF_ELEMENTS.hits() >= before + 3);
}

#[test]
fn elements_of_all_levels_count_together() {
    let row = [&b"\x0a\x00\x00\x00\x64"[..], &[5; 100]].concat();
    let rows = |count: u8| [&b"\x0a\x00\x00\x00"[..], &[count], &row.repeat(count.into())].concat();
    assert!(amf0(&rows(10)).is_ok());
    assert!(matches!(amf0(&rows(11)), Err(FlvError::Limit(_))));
}

#[test]
fn a_string_over_the_limit_is_refused_before_it_is_read() {
    let before = limits::AMF_STRING_BYTES.hits();
    assert!(matches!(amf0(b"\x0c\x00\x01\x00\x01"), Err(FlvError::Limit(_))));
    assert!(limits::AMF_STRING_BYTES.hits() > before);
}

#[test]
fn references_cannot_loop() {
    assert_eq!(amf0(b"\x03\x00\x01a\x07\x00\x00\x00\x00\x09"), Ok(Object::new().with("a", Value::Undefined).into()));
    assert_eq!(amf3(b"\x09\x03\x01\x09\x00"), Ok(Value::Array(vec![Value::Undefined])));
}

#[test]
fn xml_and_externalizable_objects_are_refused_and_typed_objects_are_only_data() {
    assert_eq!(amf0(b"\x0f\x00\x00\x00\x01<"), Err(FlvError::RefusedAmfType(0x0f)));
    assert_eq!(amf3(b"\x0b\x03<"), Err(FlvError::RefusedAmfType(0x0b)));
    assert_eq!(amf3(b"\x07\x03<"), Err(FlvError::RefusedAmfType(0x07)));
    assert_eq!(amf3(b"\x0a\x07\x03A"), Err(FlvError::RefusedAmfType(0x0a)));
    let typed = amf0(b"\x10\x00\x04Evil\x00\x01a\x01\x01\x00\x00\x09");
    assert_eq!(typed, Ok(Value::TypedObject("Evil".into(), Object::new().with("a", true))));
}

#[test]
fn an_object_without_its_end_marker_is_taken_as_it_is() {
    assert_eq!(amf0(b"\x08\x00\x00\x00\x00\x00\x01a\x01\x01"), Ok(Value::EcmaArray(Object::new().with("a", true))));
}

#[test]
fn metadata_is_understood_with_and_without_its_wrapper() {
    let object = Object::new().with("videocodecid", "hvc1").with("audiocodecid", 10.0).with("framerate", 25.0);
    for wrapper in [&["@setDataFrame", "onMetaData"][..], &["onMetaData"]] {
        let mut out = BytesMut::new();
        wrapper.iter().for_each(|name| write_amf0(&Value::from(*name), &mut out));
        write_amf0(&Value::EcmaArray(object.clone()), &mut out);
        let (name, values) = read_script(out.freeze()).unwrap();
        assert_eq!(&*name, "onMetaData");
        let metadata = Metadata::from_object(values[0].as_object().unwrap());
        assert_eq!((metadata.video, metadata.audio, metadata.frame_rate), (true, true, Some(25.0)));
    }
    let numbers = [0x61763031_u32, 0x68766331, 7];
    for number in numbers {
        assert!(Metadata::from_object(&Object::new().with("videocodecid", f64::from(number))).video);
    }
    assert!(!Metadata::from_object(&Object::new().with("videocodecid", 0.0)).video);
}

#[test]
fn no_message_cut_anywhere_or_changed_anywhere_does_harm() {
    let mut seed = BytesMut::new();
    write_amf0(&sample(), &mut seed);
    let mut seed3 = BytesMut::new();
    write_amf3(&sample(), &mut seed3);
    for seed in [seed, seed3] {
        for length in 0..=seed.len() {
            let _ = amf0(&seed[..length]);
            let _ = amf3(&seed[..length]);
        }
        for at in 0..seed.len() {
            for value in 0..=255 {
                let mut data = seed.to_vec();
                data[at] = value;
                let _ = amf0(&data);
                let _ = amf3(&data);
            }
        }
    }
}

proptest! {
    #[test]
    fn random_bytes_do_no_harm(data in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = amf0(&data);
        let _ = amf3(&data);
    }
}
