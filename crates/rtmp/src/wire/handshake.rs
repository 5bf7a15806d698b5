//! The handshake: version, random bytes, and an echo of the peer's random bytes.
//!
//! ```text
//!  client ── C0 C1 ──► server
//!         ◄─ S0 S1 S2 ─           S2 is C1, as it came
//!         ── C2 ─────►            C2 is S1
//! ```
//!
//! Clients that put a digest into C1 (Flash and its heirs) get the same plain echo; those still in use take it.
//!
//! Source: Adobe RTMP 1.0 §5.2.

use bytes::{BufMut, BytesMut};

use super::WireError;

const VERSION: u8 = 3;
const PART: usize = 1_536;

/// The side that was called.
#[derive(Debug)]
pub struct ServerHandshake {
    seed: u64,
    answered: bool,
}

impl ServerHandshake {
    /// A handshake whose random bytes come from `seed`.
    pub fn new(seed: u64) -> ServerHandshake {
        ServerHandshake { seed, answered: false }
    }

    /// Takes what it can off the input and writes its answer; says whether the handshake is over.
    ///
    /// What the client echoes is not compared: old clients echo wrongly, and nothing depends on it.
    ///
    /// # Errors
    /// The peer does not speak plain RTMP.
    pub fn read(&mut self, input: &mut BytesMut, output: &mut BytesMut) -> Result<bool, WireError> {
        check_version(self.answered, input)?;
        if !self.answered && input.len() > PART {
            let hello = input.split_to(1 + PART);
            output.put_u8(VERSION);
            put_random(self.seed, output);
            output.put_slice(hello.get(1..).unwrap_or_default());
            self.answered = true;
        }
        if self.answered && input.len() >= PART {
            let _echo = input.split_to(PART);
            return Ok(true);
        }
        Ok(false)
    }
}

/// The side that calls.
#[derive(Debug)]
pub struct ClientHandshake {
    seed: u64,
    called: bool,
}

impl ClientHandshake {
    /// A handshake whose random bytes come from `seed`.
    pub fn new(seed: u64) -> ClientHandshake {
        ClientHandshake { seed, called: false }
    }

    /// Writes the call the first time, then takes the server's answer off the input; says whether the handshake
    /// is over.
    ///
    /// # Errors
    /// The server does not speak plain RTMP.
    pub fn read(&mut self, input: &mut BytesMut, output: &mut BytesMut) -> Result<bool, WireError> {
        if !self.called {
            self.called = true;
            output.put_u8(VERSION);
            put_random(self.seed, output);
        }
        check_version(false, input)?;
        if input.len() < 1 + 2 * PART {
            return Ok(false);
        }
        let answer = input.split_to(1 + 2 * PART);
        output.put_slice(answer.get(1..1 + PART).unwrap_or_default());
        Ok(true)
    }
}

fn check_version(passed: bool, input: &[u8]) -> Result<(), WireError> {
    match input.first() {
        Some(byte) if !passed && *byte != VERSION => Err(WireError::NotRtmp(*byte)),
        _ => Ok(()),
    }
}

/// Time zero, four zero bytes, and bytes that only have to differ between connections (xorshift).
fn put_random(seed: u64, output: &mut BytesMut) {
    output.put_u64(0);
    let mut state = seed | 1;
    for _ in 0..(PART - 8) / 8 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        output.put_u64(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello() -> Vec<u8> {
        let mut data = vec![VERSION];
        data.extend((0..PART).map(|at| at as u8));
        data
    }

    #[test]
    fn the_two_sides_meet_wherever_the_bytes_are_cut() {
        for cut in 0..=1 + 2 * PART {
            let (mut client, mut server) = (ClientHandshake::new(1), ServerHandshake::new(2));
            let (mut to_server, mut to_client) = (BytesMut::new(), BytesMut::new());
            assert!(!client.read(&mut BytesMut::new(), &mut to_server).unwrap());
            let mut late = to_server.split_off(cut.min(to_server.len()));
            assert!(!server.read(&mut to_server, &mut to_client).unwrap());
            to_server.unsplit(late.split());
            assert!(!server.read(&mut to_server, &mut to_client).unwrap());
            let mut late = to_client.split_off(cut.min(to_client.len()));
            let mut early = to_client;
            let over = client.read(&mut early, &mut to_server).unwrap();
            early.unsplit(late.split());
            assert!(over || client.read(&mut early, &mut to_server).unwrap());
            assert!(server.read(&mut to_server, &mut BytesMut::new()).unwrap());
        }
    }

    #[test]
    fn the_server_echoes_whatever_the_client_sent_and_leaves_what_follows() {
        let mut server = ServerHandshake::new(7);
        let mut output = BytesMut::new();
        let mut input = BytesMut::from(&hello()[..]);
        assert_eq!(server.read(&mut input, &mut output), Ok(false));
        assert_eq!(output.len(), 1 + 2 * PART);
        assert_eq!(&output[1 + PART..], &hello()[1..]);
        input.extend_from_slice(&[0; PART]);
        input.extend_from_slice(b"next");
        assert_eq!(server.read(&mut input, &mut output), Ok(true));
        assert_eq!(&input[..], b"next");
    }

    #[test]
    fn other_protocols_and_encrypted_rtmp_are_refused_by_their_first_byte() {
        for first in [b'G', 0x16, 6, 0] {
            let mut input = BytesMut::from(&[first][..]);
            let result = ServerHandshake::new(0).read(&mut input, &mut BytesMut::new());
            assert_eq!(result, Err(WireError::NotRtmp(first)));
        }
    }

    #[test]
    fn nothing_is_answered_before_the_whole_hello_is_there() {
        let mut output = BytesMut::new();
        for length in 0..=PART {
            let mut input = BytesMut::from(&hello()[..length]);
            assert_eq!(ServerHandshake::new(0).read(&mut input, &mut output), Ok(false));
        }
        assert!(output.is_empty());
    }
}
