//! Looks for the tools that the bundled codecs are built with, and says in one sentence what is missing.
//!
//! Without nasm OpenH264 builds all the same, but encodes at less than half the speed without a word; without cmake
//! libopus does not build, with a message that few understand.

// This is how a build script speaks to cargo and to people.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::env;

/// Set to build without nasm all the same.
const ALLOW_SLOW: &str = "HEADWATER_ALLOW_SLOW_OPENH264";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    for variable in ["PATH", "CMAKE", ALLOW_SLOW] {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    let mut missing = Vec::new();
    if !found("cmake") && env::var_os("CMAKE").is_none() {
        missing.push(("cmake", "libopus cannot be built".to_owned()));
    }
    if needs_nasm() && !found("nasm") {
        let reason = format!("OpenH264 would encode at less than half its speed; set {ALLOW_SLOW}=1 to accept that");
        missing.push(("nasm", reason));
    }
    if missing.is_empty() {
        return;
    }
    let tools: Vec<&str> = missing.iter().map(|(tool, _)| *tool).collect();
    let tools = tools.join(" ");
    eprintln!("\nHeadwater cannot be built yet:\n");
    for (tool, reason) in &missing {
        eprintln!("  {tool} is not installed: {reason}.");
    }
    eprintln!("\nInstall what is missing and build again:\n");
    eprintln!("  Debian, Ubuntu   apt-get install {tools}");
    eprintln!("  Fedora           dnf install {tools}");
    eprintln!("  Alpine           apk add {tools}");
    eprintln!("  Arch             pacman -S {tools}");
    eprintln!("  macOS            brew install {tools}");
    eprintln!("  Windows          winget install {}\n", windows(&missing));
    std::process::exit(1);
}

/// The assembly of OpenH264 for other processors does not go through nasm.
fn needs_nasm() -> bool {
    let x86 = env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "x86_64" || arch == "x86");
    x86 && env::var(ALLOW_SLOW).map_or(true, |value| value.is_empty() || value == "0")
}

fn found(tool: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let name = format!("{tool}{}", env::consts::EXE_SUFFIX);
    env::split_paths(&path).any(|folder| folder.join(&name).is_file())
}

fn windows(missing: &[(&str, String)]) -> String {
    let name = |tool: &str| {
        if tool == "nasm" { "NASM.NASM" } else { "Kitware.CMake" }
    };
    missing.iter().map(|(tool, _)| name(tool)).collect::<Vec<_>>().join(" ")
}
