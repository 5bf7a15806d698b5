//! The server on str0m: takes one publisher by WHIP and viewers by WHEP, and forwards to them what it is sent.
//!
//! One thread and one socket for all. What waits, receives and sends is what a shard of Headwater has: tokio, several
//! datagrams for one call, and runs of datagrams for one viewer by segmentation offload.

use std::{
    collections::HashMap,
    io::{self, Write},
    net::{Ipv4Addr, SocketAddr},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use axum::{
    Router,
    extract::{Path, State},
    http::{StatusCode, header},
    response::IntoResponse,
    routing::post,
};
use headwater_net::{Burst, ReceiveBuffer, UdpSocket, take_precedence};
use str0m::{
    Input,
    net::{Protocol, Receive},
};
use tokio::{
    net::TcpListener,
    runtime,
    sync::{mpsc, oneshot},
    time,
};

use super::{
    gathered::Gathered,
    session::{Piece, Session},
};
use crate::peer::Common;

/// Sessions at most.
const SESSIONS_MAX: usize = 10_000;
/// Offers that wait for their answer at most.
const ASKS_MAX: usize = 64;
/// Between two key frames that are asked for.
const KEY_FRAME_INTERVAL: Duration = Duration::from_millis(500);
/// Levels of niceness by which it goes before others: as Headwater's shards where nothing else is said.
const PRECEDENCE: u8 = 10;
/// The longest sleep.
const SLEEP_MAX: Duration = Duration::from_secs(60);

/// An offer, and where its answer goes.
struct Ask {
    publishes: bool,
    offer: String,
    answer: oneshot::Sender<Result<String>>,
}

/// The process: says where it answers, and serves until its standard input ends. A plain one asks a session for output
/// after each packet, and sends each datagram by a call of its own.
pub(crate) fn serve(is_plain: bool) -> Result<()> {
    let (end, ended) = oneshot::channel();
    thread::Builder::new().name("stdin".into()).spawn(move || {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        let _ = end.send(());
    })?;
    // Where the system does not let it, it runs as others do, and so does Headwater.
    let _ = take_precedence(PRECEDENCE);
    runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let (asks, asked) = mpsc::channel(ASKS_MAX);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let mut forwarder = Forwarder::new(is_plain)?;
        writeln!(io::stdout(), "{}", listener.local_addr()?)?;
        let router = Router::new().route("/{stream}/{protocol}", post(ask)).with_state(asks);
        tokio::spawn(async move { axum::serve(listener, router).await });
        tokio::select! {
            _ = ended => Ok(()),
            result = forwarder.run(asked) => result,
        }
    })
}

async fn ask(
    State(asks): State<mpsc::Sender<Ask>>,
    Path((_, protocol)): Path<(String, String)>,
    offer: String,
) -> Result<impl IntoResponse, (StatusCode, String)> {
    let (answer, answered) = oneshot::channel();
    let publishes = match protocol.as_str() {
        "whip" => true,
        "whep" => false,
        _ => return Err((StatusCode::NOT_FOUND, String::new())),
    };
    let gone = |_| (StatusCode::SERVICE_UNAVAILABLE, String::new());
    asks.send(Ask { publishes, offer, answer }).await.map_err(|_| gone(()))?;
    let answer = answered.await.map_err(|_| gone(()))?;
    let answer = answer.map_err(|error| (StatusCode::BAD_REQUEST, format!("{error:#}")))?;
    Ok((StatusCode::CREATED, [(header::CONTENT_TYPE, "application/sdp")], answer))
}

/// All sessions, and what they share.
struct Forwarder {
    common: Common,
    socket: UdpSocket,
    local: SocketAddr,
    sessions: Vec<Session>,
    /// When each of them wants to run again.
    deadlines: Vec<Instant>,
    publisher: Option<usize>,
    by_address: HashMap<SocketAddr, usize>,
    gathered: Gathered,
    burst: Burst,
    key_frame_asked: Option<Instant>,
    is_plain: bool,
}

impl Forwarder {
    fn new(is_plain: bool) -> Result<Forwarder> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0).into())?;
        let local = socket.local_address()?;
        Ok(Forwarder {
            common: Common::new()?,
            socket,
            local,
            sessions: Vec::new(),
            deadlines: Vec::new(),
            publisher: None,
            by_address: HashMap::new(),
            gathered: Gathered::default(),
            burst: Burst::new(local, None),
            key_frame_asked: None,
            is_plain,
        })
    }

    async fn run(&mut self, mut asked: mpsc::Receiver<Ask>) -> Result<()> {
        let mut buffer = ReceiveBuffer::new();
        loop {
            let next = self.next();
            tokio::select! {
                result = self.socket.receive(&mut buffer) => {
                    result?;
                    self.receive(&buffer);
                }
                Some(ask) = asked.recv() => {
                    let answer = self.answer(&ask);
                    // Who no longer waits for it will not come.
                    let _ = ask.answer.send(answer);
                }
                () = time::sleep_until(next.into()) => {}
            }
            self.settle(Instant::now());
        }
    }

    fn next(&self) -> Instant {
        let longest = Instant::now() + SLEEP_MAX;
        self.deadlines.iter().copied().chain(self.gathered.due()).fold(longest, Instant::min)
    }

    fn answer(&mut self, ask: &Ask) -> Result<String> {
        ensure!(self.sessions.len() < SESSIONS_MAX, "there are {SESSIONS_MAX} sessions");
        let make = if ask.publishes { Session::publisher } else { Session::viewer };
        let (session, answer) = make(&self.common, self.local, &ask.offer)?;
        let index = self.sessions.len();
        if ask.publishes {
            self.publisher = Some(index);
        }
        let now = Instant::now();
        self.sessions.push(session);
        self.deadlines.push(now);
        self.advance(index, Input::Timeout(now), now);
        Ok(answer)
    }

    fn receive(&mut self, buffer: &ReceiveBuffer) {
        let now = Instant::now();
        for datagram in buffer.datagrams() {
            let Ok(receive) = Receive::new(Protocol::Udp, datagram.source, self.local, datagram.bytes) else {
                continue;
            };
            let input = Input::Receive(now, receive);
            let index = match self.by_address.get(&datagram.source) {
                Some(index) => *index,
                None => {
                    let Some(index) = self.sessions.iter().position(|session| session.accepts(&input)) else {
                        continue;
                    };
                    self.by_address.insert(datagram.source, index);
                    index
                }
            };
            self.advance(index, input, now);
        }
    }

    /// Runs those whose time has come, forwards what is ready, and sends what has been gathered.
    fn settle(&mut self, now: Instant) {
        for index in 0..self.sessions.len() {
            if self.deadlines[index] <= now {
                self.advance(index, Input::Timeout(now), now);
            }
        }
        while let Some(pieces) = self.gathered.take(now) {
            self.forward(&pieces, now);
        }
        self.ask_for_key_frame(now);
        flush(&self.socket, &mut self.burst);
    }

    fn forward(&mut self, pieces: &[Piece], now: Instant) {
        let at_once = if self.is_plain { 1 } else { pieces.len().max(1) };
        for index in 0..self.sessions.len() {
            for pieces in pieces.chunks(at_once) {
                match self.sessions[index].write(pieces, now) {
                    Ok(true) => self.poll(index, now),
                    Ok(false) => {}
                    Err(error) => self.end(index, &error),
                }
            }
        }
    }

    fn ask_for_key_frame(&mut self, now: Instant) {
        let Some(publisher) = self.publisher else { return };
        let is_early = self.key_frame_asked.is_some_and(|asked| now < asked + KEY_FRAME_INTERVAL);
        if is_early || !self.sessions.iter().any(Session::is_waiting) {
            return;
        }
        self.key_frame_asked = Some(now);
        match self.sessions[publisher].ask_for_key_frame(now) {
            Ok(()) => self.poll(publisher, now),
            Err(error) => self.end(publisher, &error),
        }
    }

    fn advance(&mut self, index: usize, input: Input<'_>, now: Instant) {
        match self.sessions[index].take(input) {
            Ok(()) => self.poll(index, now),
            Err(error) => self.end(index, &error),
        }
    }

    fn poll(&mut self, index: usize, now: Instant) {
        let Forwarder { sessions, socket, burst, gathered, is_plain, .. } = self;
        let send = |to, datagram: &[u8]| {
            write(socket, burst, to, datagram);
            if *is_plain {
                flush(socket, burst);
            }
        };
        match sessions[index].poll(send, |piece| gathered.push(piece, now)) {
            Ok(at) => self.deadlines[index] = at,
            Err(error) => self.end(index, &error),
        }
    }

    fn end(&mut self, index: usize, error: &anyhow::Error) {
        let _ = writeln!(io::stderr(), "session {index} has ended: {error:#}");
        self.sessions[index].end();
        self.deadlines[index] = Instant::now() + SLEEP_MAX;
    }
}

/// Adds a datagram to the run that leaves by one call, or begins another.
fn write(socket: &UdpSocket, burst: &mut Burst, to: SocketAddr, datagram: &[u8]) {
    if burst.destination() != to || !burst.fits(datagram.len()) {
        flush(socket, burst);
        burst.reset(to, None);
    }
    // One that is too long for a datagram is lost.
    let _ = burst.push(datagram);
}

fn flush(socket: &UdpSocket, burst: &mut Burst) {
    // What the kernel does not take is lost, and counted by the viewers.
    let _ = socket.send(burst);
    burst.reset(burst.destination(), None);
}
