//! What carries the media of a session that this side begins.

use std::{fmt, str::FromStr};

/// What carries the media of a session that this side begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Transport {
    /// Datagrams: what is lost is asked for again.
    #[default]
    Udp,
    /// One connection, opened by this side: for networks that let no UDP through (RFC 6544).
    Tcp,
}

/// A word that names no transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a transport is \"udp\" or \"tcp\"")]
pub struct UnknownTransport;

impl Transport {
    /// As the session protocol writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// In small letters or capitals.
impl FromStr for Transport {
    type Err = UnknownTransport;

    fn from_str(text: &str) -> Result<Transport, UnknownTransport> {
        [Transport::Udp, Transport::Tcp]
            .into_iter()
            .find(|transport| transport.as_str().eq_ignore_ascii_case(text))
            .ok_or(UnknownTransport)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transport_is_read_as_it_is_written() {
        for (text, transport) in [("UDP", Transport::Udp), ("tcp", Transport::Tcp), ("Tcp", Transport::Tcp)] {
            assert_eq!(text.parse(), Ok(transport));
        }
        for text in ["", "srt", "tcp ", "udp,tcp"] {
            assert_eq!(text.parse::<Transport>(), Err(UnknownTransport), "{text:?}");
        }
    }
}
