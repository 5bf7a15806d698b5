//! The real server as a child process, on free ports and with a configuration of its own.

use std::{
    env, fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::http;

/// Which server is measured.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Options {
    /// The server's program; without this, `origin` is built like this bench and found beside it.
    #[arg(long, global = true, value_name = "FILE")]
    origin: Option<PathBuf>,
}

/// A server at work; dropping it stops it.
pub(crate) struct Server {
    child: Child,
    folder: TempDir,
    pub(crate) http: SocketAddr,
    pub(crate) rtmp: SocketAddr,
}

impl Server {
    /// Starts it and waits until it is ready.
    pub(crate) fn start(options: &Options, merge_window_ms: u64) -> Result<Server> {
        Server::configured(options, merge_window_ms, "")
    }

    /// The same with further sections of the configuration.
    pub(crate) fn configured(options: &Options, merge_window_ms: u64, sections: &str) -> Result<Server> {
        Server::start_with(options, merge_window_ms, sections, None)
    }

    /// One with so many shards.
    pub(crate) fn with_shards(options: &Options, shards: usize) -> Result<Server> {
        Server::start_with(options, 0, "", Some(shards))
    }

    fn start_with(options: &Options, merge_window_ms: u64, sections: &str, shards: Option<usize>) -> Result<Server> {
        let program = program(options)?;
        let folder = TempDir::new()?;
        let (http, rtmp, media) = (free_tcp_port()?, free_tcp_port()?, free_media_port()?);
        let config = folder.path().join("origin.toml");
        let shards = shards.map(|shards| format!("shards = {shards}\n")).unwrap_or_default();
        fs::write(
            &config,
            format!(
                "[http]\nports = [{http}]\n\
                 [rtmp]\nport = {rtmp}\nmerge_window_ms = {merge_window_ms}\n\
                 [https]\nenabled = false\n\
                 [rtmps]\nenabled = false\n\
                 [webrtc]\nport = {media}\n{shards}\
                 [log]\nlevel = \"warn\"\n{sections}"
            ),
        )?;
        let log = fs::File::create(folder.path().join("log"))?;
        let child = Command::new(&program)
            .arg("--config")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut server = Server { child, folder, http: at(http), rtmp: at(rtmp) };
        server.wait_until_ready()?;
        Ok(server)
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// The sum of a metric over all its labels.
    pub(crate) fn metric(&self, name: &str) -> Result<f64> {
        let answer = http::request(self.http, "GET", "/metrics", "text/plain", "")?;
        ensure!(answer.status == 200, "/metrics answers {}", answer.status);
        let lines = answer.body.lines().filter(|line| !line.starts_with('#'));
        let values = lines.filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            rest.starts_with(['{', ' ']).then(|| rest.rsplit(' ').next()?.parse::<f64>().ok())?
        });
        Ok(values.sum())
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                bail!("the server ended ({status}): {}", self.log());
            }
            let answer = http::request(self.http, "GET", "/readyz", "text/plain", "");
            if answer.is_ok_and(|answer| answer.status == 200) {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(50));
        }
        bail!("the server does not become ready: {}", self.log())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Ok(pid) = i32::try_from(self.child.id()).map(Pid::from_raw)
            && let Some(pid) = pid
        {
            let _ = kill_process(pid, Signal::TERM);
        }
        for _ in 0..200 {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The server's program: the one that is named, else the one beside this bench, which cargo brings up to date.
fn program(options: &Options) -> Result<PathBuf> {
    if let Some(file) = &options.origin {
        ensure!(file.is_file(), "there is no {}", file.display());
        return Ok(file.clone());
    }
    let own = env::current_exe()?;
    let beside = own.parent().unwrap_or(Path::new(".")).join("origin");
    if let Some(cargo) = env::var_os("CARGO") {
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--package", "headwater-origin"]);
        if !cfg!(debug_assertions) {
            build.arg("--release");
        }
        ensure!(build.status()?.success(), "the server cannot be built");
    }
    ensure!(beside.is_file(), "there is no {}: build it, or name another by --origin", beside.display());
    Ok(beside)
}

/// A port that is free for TCP.
pub(crate) fn free_tcp_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// A port that is free for UDP and for TCP.
fn free_media_port() -> Result<u16> {
    for _ in 0..100 {
        let port = free_tcp_port()?;
        if UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port is free")
}
