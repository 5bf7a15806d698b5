//! Why a viewer gets nothing, or nothing more: a code for programs and a sentence for people.

use headwater_access::{Refused, Why};
use headwater_graph::SubscribeError;
use headwater_media::StreamName;

/// Why it is over, and what is to be told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// One of the codes of `docs/reference/mse.md` and `docs/reference/wsplayer.md`.
    code: &'static str,
    sentence: String,
    /// What the gates are told, in the words of WCS where it has any.
    info: &'static str,
}

impl Trouble {
    fn new(code: &'static str, sentence: impl Into<String>) -> Trouble {
        Trouble { code, sentence: sentence.into(), info: "Failed to play" }
    }

    /// Something went wrong in the server.
    pub fn internal(sentence: impl Into<String>) -> Trouble {
        Trouble::new("internal", sentence)
    }

    /// The stream has nothing that the viewer can be sent.
    pub fn no_codec(sentence: impl Into<String>) -> Trouble {
        Trouble { info: "No common codecs", ..Trouble::new("codec", sentence) }
    }

    /// The tracks of the stream did not become known in time.
    pub(crate) fn not_ready() -> Trouble {
        let sentence = "the stream is being published, but its tracks are not known yet; try again in a moment";
        Trouble { info: "Publish stream is not ready", ..Trouble::new("starting", sentence) }
    }

    pub(crate) fn of_subscribing(error: SubscribeError, asked: &StreamName) -> Trouble {
        let (code, info) = match error {
            SubscribeError::NotFound { .. } => ("not-live", "Stream not found"),
            _ => ("starting", "Publish stream is not ready"),
        };
        Trouble { info, ..Trouble::new(code, error.as_asked(asked).to_string()) }
    }

    /// For programs.
    pub(crate) fn code(&self) -> &'static str {
        self.code
    }

    /// For people.
    pub fn sentence(&self) -> &str {
        &self.sentence
    }

    pub(crate) fn info(&self) -> &'static str {
        self.info
    }

    /// The peer's status code (RFC 6455 §7.4.2: those from 4000 on are private).
    pub(crate) fn close_code(&self) -> u16 {
        match self.code {
            "refused" => 4403,
            "not-live" => 4404,
            "codec" => 4406,
            "starting" => 4409,
            "busy" => 4429,
            _ => 4500,
        }
    }
}

impl From<Refused> for Trouble {
    fn from(refused: Refused) -> Trouble {
        let code = match refused.why {
            Why::TooMany | Why::Unavailable => "busy",
            _ => "refused",
        };
        Trouble::new(code, refused.sentence)
    }
}
