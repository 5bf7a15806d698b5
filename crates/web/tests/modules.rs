//! Runs the tests of the ES modules, which are written in their own language, on Node.js.

use std::{path::Path, process::Command};

#[test]
fn es_modules_do_what_they_say() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/modules");
    for file in [
        "clock.mjs",
        "words.mjs",
        "console.mjs",
        "load.mjs",
        "link.mjs",
        "stream.mjs",
        "meter.mjs",
        "size.mjs",
        "wsplayer.mjs",
        "ways.mjs",
        "hls.mjs",
    ] {
        let run = Command::new("node").arg(tests.join(file)).output();
        let output = run.expect("Node.js 18 or newer runs these tests; install it (Debian: apt-get install nodejs)");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{file}:\n{said}{}", String::from_utf8_lossy(&output.stderr));
    }
}
