//! The binary as its operator meets it.

use std::{
    io::{BufRead, BufReader, Read},
    net::TcpStream,
    process::{Child, ChildStderr, Command, Output, Stdio},
    time::{Duration, Instant},
};

fn origin(arguments: &[&str], environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_origin"));
    command.args(arguments).envs(environment.iter().copied()).stdin(Stdio::null());
    command
}

fn run(arguments: &[&str], environment: &[(&str, &str)]) -> (bool, String, String) {
    let Output { status, stdout, stderr } = origin(arguments, environment).output().unwrap();
    (status.success(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// Ports that the system chooses, so that tests run beside each other.
const ANY_PORT: [(&str, &str); 6] = [
    ("HEADWATER__HTTP__PORTS", "0"),
    ("HEADWATER__RTMP__PORT", "0"),
    ("HEADWATER__RTMPS__PORT", "0"),
    ("HEADWATER__HTTPS__PORTS", "[0]"),
    ("HEADWATER__PROCESS__STATE", "/proc/nowhere"),
    ("HEADWATER__WEBRTC__PORT", "0"),
];

/// A server that runs until it is told to stop.
struct Running {
    child: Child,
    log: BufReader<ChildStderr>,
    http: String,
}

impl Running {
    fn start(environment: &[(&str, &str)]) -> Running {
        let mut command = origin(&[], &ANY_PORT);
        let mut child = command.envs(environment.iter().copied()).stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("HTTP listens") {
            line.clear();
            assert!(log.read_line(&mut line).unwrap() > 0, "it ended before it listened");
        }
        let at = line.find("127.0.0.1:").unwrap();
        let http = line[at..].split(['"', ' ', '\n']).next().unwrap().to_owned();
        Running { child, log, http }
    }

    fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// What it logged till it ended, and how it ended.
    fn end(mut self) -> (bool, String) {
        let mut log = String::new();
        self.log.read_to_string(&mut log).unwrap();
        (self.child.wait().unwrap().success(), log)
    }
}

#[test]
fn defaults_are_printed_and_accepted() {
    let (good, printed, _) = run(&["--print-default-config"], &[]);
    assert!(good && printed.contains("[rtmp]") && printed.contains("port = 1935"));
    let file = std::env::temp_dir().join(format!("headwater-cli-{}.toml", std::process::id()));
    std::fs::write(&file, &printed).unwrap();
    let path = file.to_str().unwrap();
    assert_eq!(run(&["--config", path, "--check-config"], &[]).1, "The configuration is good.\n");
    std::fs::write(&file, "[rtmp]\n\nprot = 5\n").unwrap();
    let (good, _, error) = run(&["-c", path, "-t"], &[]);
    let expected = format!("{path}:3: there is no key \"prot\" in [rtmp]. Did you mean port?\n");
    assert!(!good && error == expected, "{error}");
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn mistakes_on_the_command_line_and_in_the_environment_are_told() {
    type Case = (&'static [&'static str], &'static [(&'static str, &'static str)], &'static str);
    let cases: &[Case] = &[
        (&["--config", "/nowhere/x.toml"], &[], "option --config: cannot read /nowhere/x.toml"),
        (&["--listen", "0.0.0.0"], &[], "option --listen: HTTP would listen on 0.0.0.0"),
        (&["--listen", "example"], &[], "invalid value 'example'"),
        (&["--confg", "x"], &[], "--config"),
        (&[], &[("HEADWATER__HTTP__PROTS", "1")], "Did you mean HEADWATER__HTTP__PORTS?"),
        (
            &[],
            &[("HEADWATER__HTTP__PORTS", "x")],
            "environment variable HEADWATER__HTTP__PORTS: ports in [http] must be",
        ),
    ];
    for (arguments, environment, expected) in cases {
        let (good, _, error) = run(arguments, environment);
        assert!(!good && error.contains(expected), "{arguments:?} {environment:?}: {error}");
    }
    let insecure = [("HEADWATER__LISTEN__INSECURE", "true")];
    assert!(run(&["--listen", "0.0.0.0", "--check-config"], &insecure).0);
    assert_eq!(run(&["--version"], &[]).1, format!("origin {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_taken_port_is_told_with_its_key() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let mut environment = ANY_PORT.to_vec();
    environment.push(("HEADWATER__RTMP__PORT", &port));
    let (good, _, error) = run(&[], &environment);
    for part in ["RTMP cannot listen on 127.0.0.1:", "`port` in [rtmp]", "HEADWATER__RTMP__PORT"] {
        assert!(!good && error.contains(part), "{error}");
    }
}

#[test]
fn a_signal_stops_it_well_and_an_open_connection_does_not_hold_it() {
    for signal in ["-TERM", "-INT"] {
        let running = Running::start(&[("HEADWATER__LOG__FORMAT", "json")]);
        let _idle = TcpStream::connect(&running.http).unwrap();
        let begun = Instant::now();
        running.signal(signal);
        let (good, log) = running.end();
        assert!(good && begun.elapsed() < Duration::from_secs(4), "{log}");
        assert!(log.contains("\"message\":\"stopped\"") && !log.contains("panicked"), "{log}");
        assert!(log.lines().all(|line| line.starts_with("{\"timestamp\"") && line.ends_with('}')), "{log}");
    }
}
