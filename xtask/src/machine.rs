//! What has to be installed on the machine, and bringing it by apt where there is apt.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::shell;

/// Something that a task needs from the operating system.
pub(crate) struct Need {
    /// What people call it.
    pub(crate) name: &'static str,
    /// The Debian package that brings it.
    pub(crate) package: &'static str,
    present: fn() -> bool,
}

/// What building the codecs takes besides Rust.
pub(crate) const BUILD: &[Need] = &[
    Need { name: "a C++ compiler", package: "g++", present: || shell::has("c++") || shell::has("g++") },
    Need { name: "cmake", package: "cmake", present: || shell::has("cmake") },
    Need { name: "make", package: "make", present: || shell::has("make") },
    Need { name: "nasm", package: "nasm", present: || shell::has("nasm") },
];

/// What the tests of the web pages' modules run on.
pub(crate) const UNIT: &[Need] = &[Need { name: "Node.js", package: "nodejs", present: || shell::has("node") }];

/// The programs and fonts that the end-to-end tests play and publish with.
pub(crate) const TESTS: &[Need] = &[
    Need { name: "ffmpeg", package: "ffmpeg", present: || shell::has("ffmpeg") && shell::has("ffprobe") },
    Need { name: "Chromium", package: "chromium", present: || shell::has("chromium") },
    Need { name: "Firefox", package: "firefox-esr", present: || shell::has("firefox-esr") },
    Need { name: "PulseAudio", package: "pulseaudio", present: || shell::has("pulseaudio") },
    Need { name: "the DejaVu fonts", package: "fonts-dejavu-core", present: has_fonts },
    Need { name: "rtmpdump", package: "rtmpdump", present: || shell::has("rtmpdump") },
    Need { name: "mpv", package: "mpv", present: || shell::has("mpv") },
    Need { name: "VLC", package: "vlc-bin", present: || shell::has("cvlc") },
    Need { name: "VLC's plugins", package: "vlc-plugin-base", present: has_vlc_plugins },
    // The package begins a server on port 80 where services are begun; the tests begin their own elsewhere.
    Need { name: "nginx", package: "nginx", present: || Path::new("/usr/sbin/nginx").exists() || shell::has("nginx") },
    Need { name: "nginx's RTMP", package: "libnginx-mod-rtmp", present: has_nginx_rtmp },
    Need { name: "systemd-analyze", package: "systemd", present: || shell::has("systemd-analyze") },
    Need { name: "ip", package: "iproute2", present: || has_administration("ip") },
    Need { name: "nft", package: "nftables", present: || has_administration("nft") },
    Need { name: "libfaketime", package: "libfaketime", present: has_faketime },
    Need { name: "curl", package: "curl", present: || shell::has("curl") },
    Need { name: "npm", package: "npm", present: || shell::has("npm") },
    Need { name: "Python with venv", package: "python3-venv", present: has_venv },
    Need { name: "GStreamer", package: "gstreamer1.0-tools", present: || shell::has("gst-inspect-1.0") },
    Need { name: "GStreamer's Opus", package: "gstreamer1.0-plugins-base", present: || has_element("opusenc") },
    Need { name: "GStreamer's VP8", package: "gstreamer1.0-plugins-good", present: || has_element("vp8enc") },
    Need { name: "GStreamer's WebRTC", package: "gstreamer1.0-plugins-bad", present: || has_element("webrtcbin") },
    Need { name: "GStreamer's x264", package: "gstreamer1.0-plugins-ugly", present: || has_element("x264enc") },
    Need { name: "GStreamer's ICE", package: "gstreamer1.0-nice", present: || has_element("nicesink") },
    Need { name: "GStreamer's FFmpeg", package: "gstreamer1.0-libav", present: || has_element("avdec_h264") },
    Need { name: "Python's GObject", package: "python3-gi", present: || has_bindings("Gst") },
    Need { name: "Python's GStreamer", package: "gir1.2-gst-plugins-bad-1.0", present: || has_bindings("GstWebRTC") },
];

/// What counting instructions takes.
pub(crate) const COUNTING: &[Need] =
    &[Need { name: "Valgrind", package: "valgrind", present: || shell::has("valgrind") }];

/// In folders that are not on everybody's search path.
fn has_administration(name: &str) -> bool {
    ["/usr/sbin", "/sbin"].iter().any(|folder| Path::new(folder).join(name).exists()) || shell::has(name)
}

fn has_fonts() -> bool {
    Path::new("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf").exists()
}

/// Not part of nginx: a module that is loaded by its path.
fn has_nginx_rtmp() -> bool {
    Path::new("/usr/lib/nginx/modules/ngx_rtmp_module.so").exists()
}

/// In a folder that is named for the machine's architecture.
fn has_vlc_plugins() -> bool {
    let mut folders = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    folders.any(|folder| folder.path().join("vlc/plugins/demux/libadaptive_plugin.so").exists())
}

/// In a folder that is named for the machine's architecture, too.
fn has_faketime() -> bool {
    let mut folders = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    folders.any(|folder| folder.path().join("faketime/libfaketime.so.1").exists())
}

/// Of whatever version: unless told otherwise, `--exists` wants GStreamer's own, which plugins of other projects have not.
fn has_element(name: &str) -> bool {
    shell::succeeds(&mut shell::program("gst-inspect-1.0", ["--exists", "--atleast-version=0.0", name]))
}

/// Of the system's Python, for which the packages are.
fn has_bindings(of: &str) -> bool {
    let try_it = format!("import gi; gi.require_version('{of}', '1.0')");
    shell::succeeds(&mut shell::program("/usr/bin/python3", ["-c", &try_it]))
}

fn has_venv() -> bool {
    shell::succeeds(&mut shell::program("python3", ["-c", "import ensurepip, venv"]))
}

/// Makes sure that all of these are there.
///
/// # Errors
/// When something is missing and apt is not there, or cannot bring it; the message says what to install.
pub(crate) fn provide(needs: &[&'static [Need]]) -> Result<()> {
    let missing: Vec<&Need> = needs.iter().copied().flatten().filter(|need| !(need.present)()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list =
        |of: fn(&Need) -> &'static str, missing: &[&Need]| missing.iter().map(|need| of(need)).collect::<Vec<_>>();
    let names = list(|need| need.name, &missing).join(", ");
    let packages = list(|need| need.package, &missing);
    println!("Missing: {names}.");
    install(&packages)?;
    let still: Vec<&Need> = missing.into_iter().filter(|need| !(need.present)()).collect();
    if !still.is_empty() {
        bail!("still missing after installing: {}", list(|need| need.name, &still).join(", "));
    }
    Ok(())
}

fn install(packages: &[&str]) -> Result<()> {
    let packages_in_words = packages.join(" ");
    if !shell::has("apt-get") {
        bail!(
            "please install these with your system's package manager and run the command again \
             (names as in Debian): {packages_in_words}"
        );
    }
    if !is_root() && !shell::has("sudo") {
        bail!("please run this as root, then the command again: apt-get install {packages_in_words}");
    }
    println!("Installing by apt: {packages_in_words}");
    let wanted = ["install", "--yes", "--no-install-recommends"].iter().chain(packages);
    let wanted: Vec<&str> = wanted.copied().collect();
    let first = shell::run(&mut apt(&wanted));
    if first.is_ok() {
        return Ok(());
    }
    println!("The package lists may be missing or old: fetching them, then once more.");
    shell::run(&mut apt(&["update"]))?;
    shell::run(&mut apt(&wanted))
}

/// An `apt-get` command that waits its turn and asks no questions.
fn apt(arguments: &[&str]) -> Command {
    let fixed = ["DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-o", "DPkg::Lock::Timeout=300"];
    let words = fixed.iter().chain(arguments).copied();
    if is_root() { shell::program("env", words) } else { shell::program("sudo", ["env"].into_iter().chain(words)) }
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output();
    output.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

const GIB: u64 = 1 << 30;
/// What all tests of an empty tree take, and something to spare: what is built, the clients that are fetched and what the
/// tests record.
const TESTS_BYTES: u64 = 6 * GIB;
/// What cargo keeps beside it for building again, unless it is told not to.
const INCREMENTAL_BYTES: u64 = 5 * GIB;

/// Makes sure that an empty tree has the room that building and running the tests takes: a disk that fills up in the middle
/// fails whatever runs just then, and seldom says why.
///
/// # Errors
/// When there is less, or it cannot be found out.
pub(crate) fn provide_room() -> Result<()> {
    let target = shell::target();
    if target.join("debug/origin").exists() {
        return Ok(());
    }
    let is_incremental = std::env::var_os("CARGO_INCREMENTAL").is_none_or(|value| value != "0");
    let needed = if is_incremental { TESTS_BYTES + INCREMENTAL_BYTES } else { TESTS_BYTES };
    let disk =
        rustix::fs::statvfs(&target).with_context(|| format!("how full is the disk of {}?", target.display()))?;
    let free = disk.f_bavail * disk.f_frsize;
    if free < needed {
        bail!("{}", too_little(&target, free, needed));
    }
    Ok(())
}

fn too_little(target: &Path, free: u64, needed: u64) -> String {
    let in_gib = |bytes: u64| bytes as f64 / GIB as f64;
    format!(
        "the disk of {} has {:.1} GiB left, and building and running the tests takes {:.0}: \
         please make room, or name a folder on another disk in CARGO_TARGET_DIR",
        target.display(),
        in_gib(free),
        in_gib(needed)
    )
}

/// Makes sure that the toolchain has the parts that the checks need.
///
/// # Errors
/// When a part is missing and rustup is not there or cannot bring it.
pub(crate) fn provide_rust_components() -> Result<()> {
    for (subcommand, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        if shell::succeeds(&mut shell::cargo([subcommand, "--version"])) {
            continue;
        }
        if !shell::has("rustup") {
            bail!("please install the Rust component `{component}` and run the command again");
        }
        println!("Missing: the Rust component {component}.");
        shell::run(&mut shell::program("rustup", ["component", "add", component]))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_with_what_is_needed_and_what_to_do() {
        let said = too_little(Path::new("/srv/headwater/target"), GIB * 3 / 2, TESTS_BYTES);
        assert!(said.contains("/srv/headwater/target has 1.5 GiB left"), "{said}");
        assert!(said.contains("takes 6") && said.contains("CARGO_TARGET_DIR"), "{said}");
    }
}
