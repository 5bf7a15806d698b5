//! All viewers on one thread: their sockets, their timers, and what they have seen.

use std::{
    net::SocketAddr,
    os::fd::OwnedFd,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail, ensure};
use rustix::{buffer::spare_capacity, event::epoll, time::Timespec};

use super::{
    line::Mended,
    seen::{Arrival, Timing},
    viewer::{Sight, Viewer},
};
use crate::{peer::Common, publisher::STREAM};

/// Time from the request to the first packet before a viewer counts as failed.
const JOIN_MAX: Duration = Duration::from_secs(10);
/// The longest sleep: timers of the viewers are looked at this often.
const SLEEP_MAX: Duration = Duration::from_millis(5);

/// Datagrams of all viewers over UDP: how many, or how many in a second.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Exchanged {
    pub(crate) from_viewers: f64,
    pub(crate) to_viewers: f64,
}

impl Exchanged {
    /// How many in a second there were in so many seconds since then.
    pub(crate) fn since(self, then: Exchanged, seconds: f64) -> Exchanged {
        Exchanged {
            from_viewers: (self.from_viewers - then.from_viewers) / seconds,
            to_viewers: (self.to_viewers - then.to_viewers) / seconds,
        }
    }
}

/// All viewers.
pub(crate) struct Crowd {
    server: SocketAddr,
    common: Common,
    epoll: OwnedFd,
    viewers: Vec<Viewer>,
}

impl Crowd {
    pub(crate) fn new(server: SocketAddr) -> Result<Crowd> {
        Ok(Crowd {
            server,
            common: Common::new()?,
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            viewers: Vec::new(),
        })
    }

    /// Joins one more viewer and returns when its first packet is there.
    pub(crate) fn join(&mut self, sight: Sight) -> Result<()> {
        self.join_at(self.server, STREAM, sight)
    }

    /// The same at any server, for any stream.
    pub(crate) fn join_at(&mut self, server: SocketAddr, stream: &str, sight: Sight) -> Result<()> {
        let viewer = Viewer::join(&self.common, server, stream, sight)?;
        let index = self.add(viewer)?;
        self.wait(|viewers| viewers[index].join_time().is_some())
    }

    /// The same, and returns when its first picture is there whole: how long after the request.
    pub(crate) fn join_for_picture(&mut self, server: SocketAddr, stream: &str) -> Result<Duration> {
        self.join_at(server, stream, Sight::Counting)?;
        let index = self.viewers.len() - 1;
        self.wait(|viewers| viewers[index].picture_time().is_some())?;
        Ok(self.viewers[index].picture_time().unwrap_or_default())
    }

    /// So many viewers ask for a stream at the same moment. Returns when all have their first packet.
    pub(crate) fn join_together(&mut self, server: SocketAddr, stream: &str, count: usize) -> Result<()> {
        let common = &self.common;
        let joined: Vec<Result<Viewer>> = thread::scope(|scope| {
            let ask = || Viewer::join(common, server, stream, Sight::Counting);
            let asking: Vec<_> = (0..count).map(|_| scope.spawn(ask)).collect();
            let joined = asking.into_iter().map(|thread| thread.join());
            joined.map(|joined| joined.unwrap_or_else(|_| bail!("a viewer failed"))).collect()
        });
        let first = self.viewers.len();
        for viewer in joined {
            self.add(viewer?)?;
        }
        self.wait(|viewers| viewers[first..].iter().all(|viewer| viewer.join_time().is_some()))
    }

    /// All but the first so many say farewell and leave.
    pub(crate) fn keep(&mut self, count: usize) -> Result<()> {
        let count = count.min(self.viewers.len());
        self.viewers.drain(count..).try_for_each(|mut viewer| viewer.leave())
    }

    fn add(&mut self, viewer: Viewer) -> Result<usize> {
        let index = self.viewers.len();
        epoll::add(&self.epoll, viewer.socket(), epoll::EventData::new_u64(index as u64), epoll::EventFlags::IN)?;
        self.viewers.push(viewer);
        Ok(index)
    }

    fn wait(&mut self, is_so: impl Fn(&[Viewer]) -> bool) -> Result<()> {
        let deadline = Instant::now() + JOIN_MAX;
        while !is_so(&self.viewers) {
            ensure!(Instant::now() < deadline, "no media within {JOIN_MAX:?}");
            self.turn()?;
        }
        Ok(())
    }

    /// Lets the viewers watch for a while.
    pub(crate) fn run(&mut self, length: Duration) -> Result<()> {
        let end = Instant::now() + length;
        while Instant::now() < end {
            self.turn()?;
        }
        Ok(())
    }

    fn turn(&mut self) -> Result<()> {
        let now = Instant::now();
        let next = self.viewers.iter().map(Viewer::next).min().unwrap_or(now);
        let sleep = next.saturating_duration_since(now).min(SLEEP_MAX);
        let sleep = Timespec { tv_sec: 0, tv_nsec: i64::from(sleep.subsec_nanos()) };
        let mut events = Vec::with_capacity(64);
        epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&sleep))?;
        for event in events {
            if let Some(viewer) = self.viewers.get_mut(event.data.u64() as usize) {
                viewer.receive()?;
            }
        }
        let now = Instant::now();
        for viewer in &mut self.viewers {
            if viewer.next() <= now {
                viewer.advance(now)?;
            }
        }
        Ok(())
    }

    /// Counts anew from here on.
    pub(crate) fn begin(&mut self) {
        self.viewers.iter_mut().for_each(Viewer::begin);
    }

    /// How many viewers see their media.
    pub(crate) fn seeing(&self) -> usize {
        self.viewers.iter().filter(|viewer| viewer.is_seeing()).count()
    }

    /// How many are still connected.
    pub(crate) fn connected(&self) -> usize {
        let connected = self.viewers.iter().filter(|viewer| viewer.is_connected());
        connected.count()
    }

    /// Packets that those who see have received, and that they should have.
    pub(crate) fn counts(&self) -> (u64, u64) {
        self.viewers
            .iter()
            .filter(|viewer| viewer.is_seeing())
            .map(|viewer| viewer.seen.counts())
            .fold((0, 0), |sum, counts| (sum.0 + counts.0, sum.1 + counts.1))
    }

    /// Datagrams so far of all that are here.
    pub(crate) fn exchanged(&self) -> Exchanged {
        self.viewers.iter().fold(Exchanged::default(), |sum, viewer| Exchanged {
            from_viewers: sum.from_viewers + viewer.datagrams_sent as f64,
            to_viewers: sum.to_viewers + viewer.datagrams_received as f64,
        })
    }

    /// What the first viewer received since [`Crowd::begin`].
    pub(crate) fn recorded(&self) -> Vec<Arrival> {
        self.viewers.first().map(|viewer| viewer.seen.arrivals.clone()).unwrap_or_default()
    }

    /// Milliseconds from request to first packet, of all.
    pub(crate) fn join_times(&self) -> Vec<f64> {
        let times = self.viewers.iter().filter_map(Viewer::join_time);
        times.map(|time| time.as_secs_f64() * 1e3).collect()
    }

    /// Milliseconds from publisher to viewer, of all frames seen.
    pub(crate) fn ages(&self) -> Vec<f64> {
        let ages = self.viewers.iter().flat_map(|viewer| &viewer.seen.ages);
        ages.map(|age| age.as_secs_f64() * 1e3).collect()
    }

    /// When packets arrived, of all viewers that tell.
    pub(crate) fn timings(&self) -> Vec<Timing> {
        self.viewers.iter().flat_map(|viewer| &viewer.seen.timings).copied().collect()
    }

    /// The same of the viewer that joined after so many others that are here.
    pub(crate) fn timings_of(&self, index: usize) -> &[Timing] {
        self.viewers.get(index).map(|viewer| &viewer.seen.timings[..]).unwrap_or_default()
    }

    /// What became of what the lines of all have lost.
    pub(crate) fn mended(&self) -> Mended {
        let mut all = Mended::default();
        for mended in self.viewers.iter().filter_map(Viewer::mended) {
            all.lost += mended.lost;
            all.times.extend(&mended.times);
            all.answers.extend(&mended.answers);
        }
        all
    }

    /// How many are here.
    pub(crate) fn len(&self) -> usize {
        self.viewers.len()
    }
}
