//! Publishing browsers on a thread of their own: real sessions of ICE, DTLS and SRTP that begin by WHIP.

mod browser;

use std::{
    net::SocketAddr,
    os::fd::OwnedFd,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};
use rustix::{buffer::spare_capacity, event::epoll, time::Timespec};

use crate::{camera::Camera, peer::Common};

use browser::Browser;

/// The longest sleep: timers of the browsers are looked at this often.
const SLEEP_MAX: Duration = Duration::from_millis(5);
/// Time in which all of them have to be connected.
const CONNECT_MAX: Duration = Duration::from_secs(20);

/// Publishing browsers; dropping them ends their streams.
pub(crate) struct Studio {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<Result<()>>>,
}

/// What the thread tells.
#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    connected: AtomicBool,
    packets: AtomicU64,
}

impl Studio {
    /// Publishes one stream for each name and camera, and returns when all are connected.
    pub(crate) fn start(server: SocketAddr, cameras: Vec<(String, Camera)>) -> Result<Studio> {
        let shared = Arc::new(Shared::default());
        let thread = thread::Builder::new().name("studio".into()).spawn({
            let shared = shared.clone();
            move || publish(server, cameras, &shared)
        })?;
        let mut studio = Studio { shared, thread: Some(thread) };
        while !studio.shared.connected.load(Ordering::Acquire) {
            studio.check()?;
            thread::sleep(Duration::from_millis(10));
        }
        Ok(studio)
    }

    /// Media packets sent so far.
    pub(crate) fn packets(&self) -> u64 {
        self.shared.packets.load(Ordering::Acquire)
    }

    /// Whether all still publish.
    pub(crate) fn check(&mut self) -> Result<()> {
        if self.thread.as_ref().is_some_and(|thread| !thread.is_finished()) {
            return Ok(());
        }
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(Err(error))) => Err(error.context("the publishers ended")),
            _ => Err(anyhow!("the publishers failed")),
        }
    }
}

impl Drop for Studio {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn publish(server: SocketAddr, cameras: Vec<(String, Camera)>, shared: &Shared) -> Result<()> {
    let common = Common::new()?;
    let mut stage = Stage { epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?, browsers: Vec::new() };
    let count = cameras.len();
    for (index, (stream, camera)) in cameras.into_iter().enumerate() {
        stage.add(&common, server, &stream, camera).with_context(|| format!("publisher {} of {count}", index + 1))?;
    }
    let limit = Instant::now() + CONNECT_MAX;
    while !stage.browsers.iter().all(Browser::is_connected) {
        if Instant::now() > limit || shared.stop.load(Ordering::Acquire) {
            bail!("not all publishers are connected within {CONNECT_MAX:?}");
        }
        stage.turn()?;
    }
    shared.connected.store(true, Ordering::Release);
    let start = Instant::now();
    stage.browsers.iter_mut().for_each(|browser| browser.begin(start));
    while !shared.stop.load(Ordering::Acquire) {
        stage.turn()?;
        shared.packets.store(stage.browsers.iter().map(Browser::packets).sum(), Ordering::Release);
    }
    stage.browsers.iter_mut().try_for_each(Browser::leave)
}

struct Stage {
    epoll: OwnedFd,
    browsers: Vec<Browser>,
}

impl Stage {
    fn add(&mut self, common: &Common, server: SocketAddr, stream: &str, camera: Camera) -> Result<()> {
        let browser = Browser::publish(common, server, stream, camera)?;
        let data = epoll::EventData::new_u64(self.browsers.len() as u64);
        epoll::add(&self.epoll, browser.socket(), data, epoll::EventFlags::IN)?;
        self.browsers.push(browser);
        self.turn()
    }

    fn turn(&mut self) -> Result<()> {
        let now = Instant::now();
        let next = self.browsers.iter().map(Browser::next).min().unwrap_or(now);
        let sleep = next.saturating_duration_since(now).min(SLEEP_MAX);
        let sleep = Timespec { tv_sec: 0, tv_nsec: i64::from(sleep.subsec_nanos()) };
        let mut events = Vec::with_capacity(64);
        epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&sleep))?;
        for event in events {
            if let Some(browser) = self.browsers.get_mut(event.data.u64() as usize) {
                browser.receive()?;
            }
        }
        let now = Instant::now();
        let mut due = self.browsers.iter_mut().filter(|browser| browser.next() <= now);
        due.try_for_each(|browser| browser.advance(now))
    }
}
