//! The test vectors of RFC 5769 through what reads, checks and writes STUN messages here.

use is::stun::StunMessage;

use crate::egress::ice::sha1_hmac;

const PASSWORD: &[u8] = b"VOkJxbRl1RmTxUk/WvJxBt";

fn bytes(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// RFC 5769 §2.1.
const REQUEST: &str = "0001005821 12a442 b7e7a701bc34d686fa87dfae 80220010 5354554e20746573742063 6c69656e74 \
                       00240004 6e0001ff 80290008 932ff9b151263b36 00060009 6576746a3a68367659 202020 \
                       00080014 9aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2 80280004 e57a3bcf";
/// RFC 5769 §2.2 and §2.3.
const ANSWERS: [(&str, &str); 2] = [
    (
        "192.0.2.1:32853",
        "0101003c 2112a442 b7e7a701bc34d686fa87dfae 8022000b 7465737420766563746f72 20 00200008 0001a147e112a643 \
         00080014 2b91f599fd9e90c38c7489f92af9ba53f06be7d7 80280004 c07d4c96",
    ),
    (
        "[2001:db8:1234:5678:11:2233:4455:6677]:32853",
        "01010048 2112a442 b7e7a701bc34d686fa87dfae 8022000b 7465737420766563746f72 20 00200014 \
         0002a147 0113a9faa5d3f179bc25f4b5bed2b9d9 00080014 a382954e4be67bf11784c97c8292c275bfe3ed41 \
         80280004 c8fb0b4c",
    ),
];

#[test]
fn a_check_is_read_as_the_specification_says() {
    let request = bytes(REQUEST);
    let message = StunMessage::parse(&request).unwrap();
    assert!(message.is_binding_request());
    assert_eq!((message.split_username(), message.prio()), (Some(("evtj", "h6vY")), Some(0x6e00_01ff)));
    assert_eq!((message.ice_controlled(), message.ice_controlling()), (Some(0x932f_f9b1_5126_3b36), None));
    assert!(!message.use_candidate());
    assert!(message.verify(PASSWORD, sha1_hmac));
    assert!(!message.verify(b"VOkJxbRl1RmTxUk/WvJxBu", sha1_hmac));
}

#[test]
fn answers_are_read_as_the_specification_says() {
    for (address, answer) in ANSWERS {
        let answer = bytes(answer);
        let message = StunMessage::parse(&answer).unwrap();
        assert!(message.is_successful_binding_response());
        assert_eq!(message.trans_id(), StunMessage::parse(&bytes(REQUEST)).unwrap().trans_id());
        assert_eq!(message.mapped_address(), Some(address.parse().unwrap()));
        assert!(message.verify(PASSWORD, sha1_hmac), "{address}");
    }
}

/// What stands under the checksum cannot be changed unseen, nor the checksum; the fingerprint behind it protects
/// nothing.
#[test]
fn a_message_of_the_specification_is_not_taken_when_it_is_changed() {
    for good in ANSWERS.map(|(_, answer)| bytes(answer)).into_iter().chain([bytes(REQUEST)]) {
        for position in 0..good.len() - 8 {
            let mut forged = good.clone();
            forged[position] ^= 1 << (position % 8);
            let is_taken = StunMessage::parse(&forged).is_ok_and(|message| message.verify(PASSWORD, sha1_hmac));
            assert!(!is_taken, "byte {position} of {}", good.len());
        }
    }
}

/// The answers again, written here without the name of the software, so that the sums differ.
#[test]
fn answers_are_written_as_the_specification_says() {
    for (address, answer) in ANSWERS {
        let expected = bytes(answer);
        let of = StunMessage::parse(&expected).unwrap();
        let reply = StunMessage::binding_reply(of.trans_id(), address.parse().unwrap());
        let mut written = [0; 128];
        let length = reply.to_bytes(Some(PASSWORD), &mut written, sha1_hmac).unwrap();
        let message = StunMessage::parse(&written[..length]).unwrap();
        assert!(message.verify(PASSWORD, sha1_hmac));
        assert_eq!(length, expected.len() - 16);
        let at = 20 + 16;
        let address_bytes = if address.starts_with('[') { 24 } else { 12 };
        assert_eq!(written[20..20 + address_bytes], expected[at..at + address_bytes]);
        assert_eq!(written[4..20], expected[4..20], "cookie and number");
    }
}
