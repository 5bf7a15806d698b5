//! What each command of a client does.

use super::{Conversation, Event, Stage};
use crate::wire::{WireError, command::Command};
use headwater_flv::amf::Value;

impl Conversation {
    pub(super) fn command(&mut self, command: &Command, stream: u32) -> Result<Option<Event>, WireError> {
        if self.stage == Stage::Connect && &*command.name != "connect" {
            return Err(WireError::OutOfOrder("a command before connect"));
        }
        match &*command.name {
            "connect" if self.stage == Stage::Connect => return self.connect(command),
            "createStream" => {
                self.streams = self.streams.saturating_add(1);
                self.result(command, f64::from(self.streams));
            }
            "publish" => return self.start(command, stream, true),
            "play" => return self.start(command, stream, false),
            "deleteStream" => return Ok(self.stop(command.number(0).map(|id| id as u32))),
            "closeStream" => return Ok(self.stop(Some(stream))),
            "FCUnpublish" => {
                self.result(command, Value::Undefined);
                return Ok(self.stop(None));
            }
            "pause" => return Ok(self.pause(command)),
            "seek" => self.status("status", "NetStream.Seek.Notify", "a live stream stays where it is"),
            "getStreamLength" => self.result(command, 0.0),
            "releaseStream" | "FCPublish" | "FCSubscribe" | "_checkbw" | "receiveAudio" | "receiveVideo" => {
                self.result(command, Value::Undefined);
            }
            // Answers to what we never asked.
            "_result" | "_error" | "onStatus" => {}
            _ => self.unknown(command),
        }
        Ok(None)
    }

    fn start(&mut self, command: &Command, stream: u32, publishing: bool) -> Result<Option<Event>, WireError> {
        if self.stage == Stage::Active {
            let busy = "this connection publishes or plays already; open another one";
            let code = if publishing { "NetStream.Publish.BadConnection" } else { "NetStream.Play.Failed" };
            self.link.command(&Command::on_status("error", code, busy), stream);
            return Ok(None);
        }
        self.active = stream;
        self.publishing = publishing;
        self.stage = Stage::Active;
        let key = command.text(0).unwrap_or_default().into();
        Ok(Some(if publishing { Event::Publish { key } } else { Event::Play { key } }))
    }

    /// Ends what is active, if the command means it.
    fn stop(&mut self, stream: Option<u32>) -> Option<Event> {
        if self.stage != Stage::Active || stream.is_some_and(|stream| stream != self.active) {
            return None;
        }
        self.stage = Stage::Start;
        if self.publishing {
            self.status("status", "NetStream.Unpublish.Success", "publishing has ended");
        }
        Some(Event::Stop)
    }

    fn pause(&mut self, command: &Command) -> Option<Event> {
        let pause = command.arguments.first().and_then(Value::as_bool).unwrap_or(true);
        let (code, words) = match pause {
            true => ("NetStream.Pause.Notify", "paused"),
            false => ("NetStream.Unpause.Notify", "going on at the newest picture"),
        };
        self.status("status", code, words);
        (self.stage == Stage::Active && !self.publishing).then_some(Event::Pause(pause))
    }

    fn result(&mut self, command: &Command, value: impl Into<Value>) {
        if command.transaction > 0.0 {
            self.link.command(&Command::new("_result", command.transaction).with(value), 0);
        }
    }

    fn unknown(&mut self, command: &Command) {
        if command.transaction > 0.0 {
            let words = "this server does not know that command";
            let info = crate::wire::command::status("error", "NetConnection.Call.Failed", words);
            self.link.command(&Command::new("_error", command.transaction).with(info), 0);
        }
    }
}
