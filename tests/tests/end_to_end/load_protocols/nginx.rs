//! nginx with its module of RTMP: another server for agents to be tried at.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use headwater_tests::origin::free_address;
use headwater_tests::program::{Program, until};
use headwater_tests::{http, scratch, tools};

use super::PATIENCE;

/// The module, where Debian has it.
const MODULE: &str = "/usr/lib/nginx/modules/ngx_rtmp_module.so";

/// A running nginx: RTMP on port 1935, and a folder of files on port 8080.
pub(super) struct Nginx {
    program: Program,
    host: Ipv4Addr,
    folder: PathBuf,
}

impl Nginx {
    /// Starts it at an address of its own, with the application `live`, which also writes HLS.
    pub(super) fn start() -> Result<Nginx> {
        ensure!(PathBuf::from(MODULE).is_file(), "{MODULE} is not there: `cargo xtask tools` brings libnginx-mod-rtmp");
        let (host, folder) = (free_address()?, scratch("nginx")?);
        let place = folder.display();
        std::fs::create_dir_all(folder.join("files"))?;
        let folders = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let folders = folders.map(|kind| format!("{kind}_temp_path {place}/{kind};\n")).concat();
        let configuration = format!(
            "load_module {MODULE};\nuser root;\nworker_processes 1;\ndaemon off;\npid {place}/pid;\nerror_log stderr warn;\n\
             events {{}}\n\
             rtmp {{ server {{ listen {host}:1935; chunk_size 4096;\n\
             application live {{ live on; wait_key on; hls on; hls_path {place}/files; hls_fragment 1s;\n\
             hls_playlist_length 20s; }} }} }}\n\
             http {{ {folders} access_log off;\n\
             types {{ application/vnd.apple.mpegurl m3u8; video/mp2t ts; video/mp4 mp4 m4s; }}\n\
             server {{ listen {host}:8080; root {place}/files; location / {{ add_header Cache-Control no-cache; }} }} }}\n"
        );
        std::fs::write(folder.join("nginx.conf"), configuration)?;
        let nginx = tools::on_path("nginx").unwrap_or_else(|_| "/usr/sbin/nginx".into());
        let mut command = Command::new(nginx);
        command.args(["-e", "stderr", "-p"]).arg(&folder).arg("-c").arg(folder.join("nginx.conf"));
        let mut nginx = Nginx { program: Program::start("nginx", &mut command)?, host, folder };
        let ready = || http::get(&format!("{host}:8080"), "/").is_ok();
        let is_ready = until("nginx is ready", PATIENCE, || ready() || !nginx.program.runs());
        ensure!(is_ready.is_ok() && nginx.program.runs(), "nginx said: {}", nginx.program.messages());
        Ok(nginx)
    }

    pub(super) fn host(&self) -> String {
        self.host.to_string()
    }

    /// Where the files lie that it serves.
    pub(super) fn files(&self) -> PathBuf {
        self.folder.join("files")
    }

    /// Waits until it serves a playlist of so many segments.
    pub(super) fn wait_playlist(&self, name: &str, segments: usize) -> Result<()> {
        let address = format!("{}:8080", self.host);
        let is_there =
            || http::get(&address, name).is_ok_and(|answer| answer.body.matches("#EXTINF").count() >= segments);
        until(&format!("{name} has {segments} segments"), PATIENCE, is_there).context("nginx serves no playlist")
    }

    pub(super) fn stop(self) -> Result<()> {
        self.program.terminate(PATIENCE)?;
        std::fs::remove_dir_all(self.folder)?;
        Ok(())
    }
}
