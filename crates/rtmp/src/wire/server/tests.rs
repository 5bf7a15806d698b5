use std::time::Instant;

use bytes::{Bytes, BytesMut};
use headwater_flv::amf::{Object, Value};
use headwater_media::Codec;

use super::{Conversation, Event, MediaKind, Stage};
use crate::wire::{
    ChunkReader, Message, MessageKind, WireError,
    chunk::{self, write_message},
    client::{self, Intent, Request},
    command::Command,
    control,
};

/// A conversation past its handshake, and the client's end of it as raw messages.
struct Pair {
    server: Conversation,
    input: BytesMut,
    answers: ChunkReader,
}

impl Pair {
    fn new() -> Pair {
        let mut pair =
            Pair { server: Conversation::new(4_096, 1), input: BytesMut::new(), answers: ChunkReader::new() };
        let mut hello = BytesMut::from(&[3][..]);
        hello.resize(1 + 2 * 1_536, 0);
        pair.input = hello;
        assert!(pair.server.read(&mut pair.input, Instant::now()).unwrap().is_none());
        let _ = pair.server.output().split();
        pair
    }

    fn connected() -> Pair {
        let mut pair = Pair::new();
        let event = pair.command(connect(Object::new()), 0).unwrap();
        assert!(matches!(event, Some(Event::Connect(_))));
        pair.server.accept_connect();
        pair.answered();
        pair
    }

    fn command(&mut self, command: Command, stream: u32) -> Result<Option<Event>, WireError> {
        self.message(&command.message(stream))
    }

    fn message(&mut self, message: &Message) -> Result<Option<Event>, WireError> {
        write_message(message, chunk::COMMAND, chunk::DEFAULT_CHUNK_SIZE, &mut self.input);
        self.server.read(&mut self.input, Instant::now())
    }

    /// The commands that the server has sent since the last time.
    fn answered(&mut self) -> Vec<Command> {
        let mut output = self.server.output().split();
        let mut commands = Vec::new();
        while let Some(message) = self.answers.read(&mut output, Instant::now()).unwrap() {
            match message.kind {
                MessageKind::SetChunkSize => {
                    self.answers.set_chunk_size(control::parse_number(&message).unwrap()).unwrap()
                }
                MessageKind::Command0 => commands.push(Command::parse(&message).unwrap()),
                _ => {}
            }
        }
        commands
    }

    fn codes(&mut self) -> Vec<String> {
        let codes = self.answered();
        let code =
            |command: &Command| command.arguments.iter().find_map(Value::as_object)?.text("code").map(str::to_owned);
        codes.iter().filter_map(code).collect()
    }
}

fn connect(extra: Object) -> Command {
    let object =
        extra.iter().fold(Object::new().with("app", "live"), |object, (name, value)| object.with(name, value.clone()));
    Command::new("connect", 1.0).with_object(object)
}

#[test]
fn connect_is_answered_with_what_the_server_takes() {
    let mut pair = Pair::new();
    let caps = Object::new().with("flashVer", "x").with("fourCcList", vec![Value::from("Opus")]);
    let Some(Event::Connect(request)) = pair.command(connect(caps), 0).unwrap() else { panic!("a connect") };
    assert_eq!((&*request.app, request.user_agent.as_deref()), ("live", Some("x")));
    assert!(request.capabilities.takes(Codec::Opus) && !request.capabilities.takes(Codec::Av1));
    pair.server.accept_connect();
    let answer = pair.answered().remove(0);
    let info = answer.arguments[0].as_object().unwrap();
    assert_eq!((&*answer.name, info.text("code")), ("_result", Some("NetConnection.Connect.Success")));
    assert!(matches!(info.get("fourCcList"), Some(Value::Array(list)) if list.contains(&"hvc1".into())));
    assert_eq!(pair.server.stage(), Stage::Start);
}

#[test]
fn a_command_before_connect_ends_the_connection() {
    let error = Pair::new().command(Command::new("createStream", 1.0), 0).unwrap_err();
    assert_eq!(error, WireError::OutOfOrder("a command before connect"));
    assert!(Pair::new().command(Command::new("connect", 1.0), 0).is_err(), "nor without an application");
}

#[test]
fn calls_that_encoders_and_players_make_on_the_way_are_answered() {
    for name in ["createStream", "releaseStream", "FCPublish", "getStreamLength", "_checkbw", "FCSubscribe"] {
        let mut pair = Pair::connected();
        assert!(pair.command(Command::new(name, 4.0).with("x"), 0).unwrap().is_none());
        let answers = pair.answered();
        assert_eq!((&*answers[0].name, answers[0].transaction), ("_result", 4.0), "{name}");
    }
    let mut pair = Pair::connected();
    pair.command(Command::new("whatIsThat", 5.0), 0).unwrap();
    assert_eq!(&*pair.answered()[0].name, "_error");
    pair.command(Command::new("whatIsThat", 0.0), 0).unwrap();
    assert!(pair.answered().is_empty());
}

#[test]
fn publishing_begins_by_command_and_media_before_it_is_passed_over() {
    let mut pair = Pair::connected();
    let audio =
        Message { kind: MessageKind::Audio, stream: 1, timestamp: 9, payload: Bytes::from_static(b"\xaf\x01x") };
    assert!(pair.message(&audio).unwrap().is_none());
    let event = pair.command(Command::new("publish", 5.0).with("cam?token=1").with("live"), 1).unwrap();
    assert!(matches!(event, Some(Event::Publish { key }) if &*key == "cam?token=1"));
    pair.server.accept_publish();
    assert!(pair.codes().contains(&"NetStream.Publish.Start".to_owned()));
    let Some(Event::Media(media)) = pair.message(&audio).unwrap() else { panic!("media") };
    assert_eq!((media.kind, media.timestamp), (MediaKind::Audio, 9));
    assert!(matches!(pair.command(Command::new("FCUnpublish", 6.0).with("cam"), 0).unwrap(), Some(Event::Stop)));
    assert!(pair.command(Command::new("deleteStream", 7.0).with(1.0), 0).unwrap().is_none(), "only once");
    assert_eq!(pair.server.stage(), Stage::Start);
}

#[test]
fn a_refusal_says_why_and_lets_the_client_try_again() {
    let mut pair = Pair::connected();
    pair.command(Command::new("publish", 5.0).with("cam"), 1).unwrap();
    pair.server.refuse("NetStream.Publish.BadName", "taken");
    assert_eq!(pair.codes(), ["NetStream.Publish.BadName"]);
    assert!(matches!(pair.command(Command::new("publish", 6.0).with("dog"), 1).unwrap(), Some(Event::Publish { .. })));
}

#[test]
fn playing_pauses_seeks_and_stops_politely() {
    let mut pair = Pair::connected();
    assert!(matches!(pair.command(Command::new("play", 5.0).with("cam"), 1).unwrap(), Some(Event::Play { .. })));
    pair.server.accept_play();
    assert_eq!(pair.codes(), ["NetStream.Play.Reset", "NetStream.Play.Start"]);
    let pause = |flag: bool| Command::new("pause", 0.0).with(flag).with(0.0);
    assert!(matches!(pair.command(pause(true), 1).unwrap(), Some(Event::Pause(true))));
    assert!(matches!(pair.command(pause(false), 1).unwrap(), Some(Event::Pause(false))));
    pair.command(Command::new("seek", 0.0).with(1_000.0), 1).unwrap();
    assert_eq!(pair.codes(), ["NetStream.Pause.Notify", "NetStream.Unpause.Notify", "NetStream.Seek.Notify"]);
    pair.command(Command::new("play", 6.0).with("dog"), 1).unwrap();
    assert_eq!(pair.codes(), ["NetStream.Play.Failed"], "one thing at a time");
    assert!(matches!(pair.command(Command::new("deleteStream", 0.0).with(1.0), 0).unwrap(), Some(Event::Stop)));
}

#[test]
fn our_client_and_our_server_understand_each_other_wherever_bytes_are_cut() {
    for (intent, piece) in [(Intent::Publish, 1), (Intent::Play, 1), (Intent::Publish, 100), (Intent::Play, 100_000)] {
        let request = Request { intent, app: "live".into(), tc_url: "rtmp://h:1935/live".into(), key: "cam".into() };
        let mut client = client::Conversation::new(request, 4_096, 1);
        let mut server = Conversation::new(65_536, 2);
        let (mut to_client, mut to_server) = (BytesMut::new(), BytesMut::new());
        let mut started = false;
        for _ in 0..20 {
            while let Some(event) = client.read(&mut to_client, Instant::now()).unwrap() {
                started |= matches!(event, client::Event::Started);
            }
            for piece in client.output().split().chunks(piece) {
                to_server.extend_from_slice(piece);
                match server.read(&mut to_server, Instant::now()).unwrap() {
                    Some(Event::Connect(_)) => server.accept_connect(),
                    Some(Event::Publish { key }) => {
                        assert_eq!((&*key, intent), ("cam", Intent::Publish));
                        server.accept_publish();
                    }
                    Some(Event::Play { key }) => {
                        assert_eq!((&*key, intent), ("cam", Intent::Play));
                        server.accept_play();
                    }
                    _ => {}
                }
            }
            while server.read(&mut to_server, Instant::now()).unwrap().is_some() {}
            to_client.unsplit(server.output().split());
        }
        assert!(started, "{intent:?} in pieces of {piece}");
        assert_eq!(client.stream(), 1);
    }
}

#[test]
fn who_may_not_connect_is_told_why_under_the_number_of_its_call() {
    let mut pair = Pair::new();
    pair.command(connect(Object::new()), 0).unwrap();
    assert!(pair.answered().is_empty(), "nothing is said before it is decided");
    pair.server.refuse_connect("the application is closed");
    let answer = pair.answered().remove(0);
    let info = answer.arguments[0].as_object().unwrap();
    assert_eq!((&*answer.name, answer.transaction), ("_error", 1.0));
    assert_eq!(info.text("code"), Some("NetConnection.Connect.Rejected"));
    assert_eq!((info.text("level"), info.text("description")), (Some("error"), Some("the application is closed")));
}

#[test]
fn our_client_tells_why_a_server_refuses() {
    let request = Request { intent: Intent::Publish, app: "live".into(), tc_url: "x".into(), key: "k".into() };
    let mut client = client::Conversation::new(request, 128, 1);
    let mut input = BytesMut::from(&[3][..]);
    input.resize(1 + 2 * 1_536, 0);
    let info = crate::wire::command::status("error", "NetConnection.Connect.Rejected", "no such app");
    let refusal = Command::new("_error", 1.0).with(info);
    write_message(&refusal.message(0), 3, 128, &mut input);
    let event = client.read(&mut input, Instant::now()).unwrap();
    assert!(matches!(event, Some(client::Event::Refused { code, reason })
        if &*code == "NetConnection.Connect.Rejected" && &*reason == "no such app"));
}
