//! What every role does alike: says what it is, runs with a test picture, ends well.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{ChildStderr, Command, Stdio},
};

/// Ports that the system chooses, so that tests run beside each other.
const ANY_PORT: [(&str, &str); 6] = [
    ("HEADWATER__HTTP__PORTS", "0"),
    ("HEADWATER__RTMP__PORT", "0"),
    ("HEADWATER__RTMPS__PORT", "0"),
    ("HEADWATER__HTTPS__PORTS", "[0]"),
    ("HEADWATER__PROCESS__STATE", "/proc/nowhere"),
    ("HEADWATER__WEBRTC__PORT", "0"),
];

/// Runs a role from its help to its end.
pub(crate) fn lives_as(role: &str, program: &str) {
    let told = |option: &str| {
        let output = Command::new(program).arg(option).output().unwrap();
        assert!(output.status.success(), "{option}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(told("--version"), format!("{role} {}\n", env!("CARGO_PKG_VERSION")));
    assert!(told("--help").contains(&format!("Usage: {role} ")));

    let mut command = Command::new(program);
    command.arg("--demo").envs(ANY_PORT).stdin(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let http = address(&wait_for("HTTP listens", &mut log));
    assert!(get(&http, "/readyz").starts_with("HTTP/1.1 200"));
    let status = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(status.success());
    let mut rest = String::new();
    log.read_to_string(&mut rest).unwrap();
    assert!(child.wait().unwrap().success() && rest.contains("stopped"), "{rest}");
}

fn wait_for(what: &str, log: &mut BufReader<ChildStderr>) -> String {
    let mut line = String::new();
    while !line.contains(what) {
        line.clear();
        assert!(log.read_line(&mut line).unwrap() > 0, "it ended before it said {what:?}");
    }
    line
}

fn address(line: &str) -> String {
    let at = line.find("127.0.0.1:").unwrap();
    line[at..].split(['"', ' ', '\n']).next().unwrap().to_owned()
}

fn get(http: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(http).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {http}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
