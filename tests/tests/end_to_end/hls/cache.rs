//! nginx as a cache in front of the server, with the configuration that the guide gives.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use headwater_tests::browser::percentile;
use headwater_tests::origin::Origin;
use headwater_tests::program::{Program, until};
use headwater_tests::source::Source;
use headwater_tests::{http, report, scratch, tools, turn};

use super::PATIENCE;
use super::crowd::view;
use super::page::{begin_at, number, tell, watch};
use crate::sdk::pages::Pages;

const GUIDE: &str = include_str!("../../../../docs/guide/hls-behind-a-cdn.md");
const INDEX: &str = "/clock/index.m3u8?token=out-key-4711";
/// Viewers beside the page.
const VIEWERS: usize = 12;

/// A running nginx.
struct Cache {
    program: Program,
    address: String,
    folder: PathBuf,
}

impl Cache {
    fn start(origin: &Origin) -> Result<Cache> {
        let folder = scratch("cache")?;
        std::fs::create_dir_all(&folder)?;
        let address = format!("{}:18080", origin.host());
        let place = folder.display();
        let guide = GUIDE.split("```nginx\n").nth(1).and_then(|rest| rest.split("```").next()).context("no block")?;
        let mut site = guide.to_owned();
        let changes = [
            ("/var/cache/nginx/hls", format!("{place}/cache")),
            ("server 127.0.0.1:8080;", format!("server {};", origin.http())),
            ("listen 80;", format!("listen {address};")),
        ];
        for (what, instead) in changes {
            ensure!(site.contains(what), "the guide's configuration has no {what}");
            site = site.replace(what, &instead);
        }
        let folders = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let folders = folders.map(|kind| format!("{kind}_temp_path {place}/{kind};\n")).concat();
        let whole = format!(
            "daemon off;\nmaster_process off;\npid {place}/pid;\nerror_log stderr warn;\nevents {{}}\nhttp {{\n{folders}\
             log_format way '$upstream_cache_status $request_uri';\naccess_log {place}/access.log way;\n{site}}}\n"
        );
        std::fs::write(folder.join("nginx.conf"), whole)?;
        let nginx = tools::on_path("nginx").unwrap_or_else(|_| "/usr/sbin/nginx".into());
        let mut command = Command::new(nginx);
        command.args(["-e", "stderr", "-p"]).arg(&folder).arg("-c").arg(folder.join("nginx.conf"));
        let mut cache = Cache { program: Program::start("nginx", &mut command)?, address, folder };
        let ready = || http::get(&cache.address, "/healthz").is_ok_and(|answer| answer.status == 200);
        let is_ready = until("nginx is ready", PATIENCE, || ready() || !cache.program.runs());
        ensure!(is_ready.is_ok() && cache.program.runs(), "nginx said: {}", cache.program.messages());
        Ok(cache)
    }

    fn page(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What has been asked for, and what became of it: `HIT`, `MISS` or the like.
    fn log(&self) -> Result<Vec<(String, String)>> {
        let text = std::fs::read_to_string(self.folder.join("access.log"))?;
        let line = |line: &str| line.split_once(' ').map(|(way, path)| (way.to_owned(), path.to_owned()));
        Ok(text.lines().filter_map(line).collect())
    }

    fn stop(self) -> Result<()> {
        self.program.terminate(PATIENCE)?;
        std::fs::remove_dir_all(self.folder)?;
        Ok(())
    }
}

#[test]
fn a_cache_asks_once_for_all_its_viewers_and_hls_js_plays_through_it() -> Result<()> {
    let _turn = turn();
    let keys = r#"["publish:**:in-key-4711", "play:**:out-key-4711"]"#;
    let origin = Origin::configured(&[("ACCESS__STREAM_KEYS", keys), ("ACCESS__PLAY", "authenticated")])?;
    let publisher = Source::default().publish(&origin.rtmp("clock?token=in-key-4711"))?;
    until("the encoder publishes", PATIENCE, || origin.log().contains("an RTMP publisher begins"))?;
    let cache = Cache::start(&origin)?;
    let mut pages = Pages::of(&cache.page("/"))?;
    begin_at(&mut pages, INDEX)?;
    let end = Instant::now() + Duration::from_secs(10);
    let viewers: Vec<_> = (0..VIEWERS).map(|_| view(cache.address.clone(), INDEX, end)).collect();
    let seen = watch(&mut pages, 11)?;
    tell("LL-HLS by hls.js through nginx", &seen);
    let mut waits = Vec::new();
    for viewer in viewers {
        waits.extend(viewer.join().map_err(|_| anyhow!("a viewer has panicked"))??);
    }
    check_log(&cache, &waits)?;
    // Another token is asked for at the server, whatever the cache has.
    for query in ["", "?token=wrong"] {
        let answer = http::get(&cache.address, &format!("/clock/_main.m3u8{query}"))?;
        ensure!(matches!(answer.status, 401 | 403), "{query}: {answer:?}");
    }
    ensure!(seen["blocks"] == true && number(&seen, "parts")? > 3.0, "hls.js plays no parts: {seen}");
    ensure!(number(&seen, "frames")? > 200.0 && number(&seen, "backwards")? == 0.0, "{seen}");
    ensure!(number(&seen, "p50")? < 3_000.0 && number(&seen, "tone")? > 0.7, "{seen}");
    let fatal = seen["errors"].as_array().into_iter().flatten().filter_map(|error| error.as_str());
    ensure!(fatal.filter(|error| error.ends_with("true")).count() == 0, "{seen}");
    cache.stop()?;
    publisher.kill();
    origin.stop()?;
    Ok(())
}

/// Each playlist that was waited for, and each part and segment, was asked for at the server once.
fn check_log(cache: &Cache, waits: &[f64]) -> Result<()> {
    let (mut upstream, mut asked) = (BTreeMap::<String, usize>::new(), 0);
    for (way, path) in cache.log()? {
        let is_media = path.contains(".m4s") || path.contains(".mp4");
        if !is_media && !path.contains("_HLS_msn") {
            continue;
        }
        asked += 1;
        let place = path.split_once("_HLS_msn").map_or(path.clone(), |(_, place)| place.to_owned());
        if way != "HIT" {
            *upstream.entry(place).or_default() += 1;
        }
    }
    let times: usize = upstream.values().sum();
    report(&format!(
        "{VIEWERS} viewers and a page through nginx: {asked} requests for parts, segments and playlists by number, {times} \
         of them at the server, for {} addresses; held for {:.0} ms in the middle, {:.0} ms for one in twenty",
        upstream.len(),
        percentile(waits, 50).unwrap_or(f64::NAN),
        percentile(waits, 95).unwrap_or(f64::NAN)
    ));
    // Playlists are kept as they are and compressed, since a browser asks for the one and the viewers for the other.
    let too_often = |(place, count): &(&String, &usize)| **count > if place.contains("_HLS_part") { 2 } else { 1 };
    let often: Vec<_> = upstream.iter().filter(too_often).collect();
    ensure!(often.is_empty(), "asked for more than once: {often:?}");
    ensure!(asked > 5 * times && times > 50, "{asked} requests, {times} at the server");
    ensure!(waits.len() > 20 * VIEWERS, "only {} playlists", waits.len());
    Ok(())
}
