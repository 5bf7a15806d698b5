//! The server on str0m as a child process, so that what it takes is not counted among viewers and publisher.

use std::{
    env,
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result};

/// A server at work; dropping it stops it.
pub(super) struct Forwarder {
    child: Child,
    http: SocketAddr,
}

impl Forwarder {
    /// Starts it; it takes viewers and a publisher from then on.
    pub(super) fn start(is_plain: bool) -> Result<Forwarder> {
        let mut command = Command::new(env::current_exe()?);
        command.arg("forward").args(is_plain.then_some("--plain")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("no second process of the bench")?;
        let said = child.stdout.take().context("the server on str0m says nothing")?;
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        // From here on it is stopped whatever happens.
        let mut forwarder = Forwarder { child, http: nowhere };
        let mut line = String::new();
        BufReader::new(said).read_line(&mut line)?;
        forwarder.http = line.trim().parse().context("the server on str0m has not started")?;
        Ok(forwarder)
    }

    /// Where it answers WHIP and WHEP.
    pub(super) fn http(&self) -> SocketAddr {
        self.http
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        // Its standard input ends, and so does it.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
