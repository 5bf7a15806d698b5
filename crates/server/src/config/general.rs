//! The sections that belong to no protocol.

use std::{
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
};

use super::{section::section, setting::Setting, setting::quote, value::Value};

section! {
    /// Where the server listens. Every listener uses this address unless its own section names another.
    pub struct Listen, "listen" {
        /// The address of all listeners. The default is reachable from this machine only; "0.0.0.0" is reachable from everywhere.
        address: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
        /// Must be true for any address other than loopback as long as [access] names no users, tokens or keys, because everybody who reaches the server may then publish, watch and stop streams.
        insecure: bool = false;
    }
}

section! {
    /// The web server: pages, WHEP, HTTP-FLV, REST, metrics and health, all on every port.
    pub struct Http, "http" {
        /// The address of the web server, if it differs from [listen].
        address: Option<IpAddr> = None;
        /// The ports of the web server; the first one stands in the links that are printed.
        ports: Vec<u16> = vec![8080, 8081, 8082];
        /// Further host names by which browsers and proxies reach this server, such as "media.example.org". A self-signed certificate takes up others at the next start.
        @live hosts: Vec<String> = Vec::new();
    }
}

section! {
    /// The same over TLS, for HTTPS and WSS: what browsers ask for before they give a page on another machine camera and microphone.
    pub struct Https, "https" {
        /// Whether HTTPS is served.
        enabled: bool = true;
        /// The address for HTTPS, if it differs from [listen].
        address: Option<IpAddr> = None;
        /// The ports for HTTPS and WSS.
        ports: Vec<u16> = vec![8443, 8444, 8445];
    }
}

section! {
    /// The certificate of HTTPS, WSS and RTMPS.
    pub struct Tls, "tls" {
        /// A file with the certificate chain in PEM, the server's own certificate first. A file that changes is taken up within ten seconds, without a restart. Without one, the server makes a self-signed certificate at its first start, of which browsers warn.
        certificate: Option<PathBuf> = None;
        /// A file with the private key of the certificate in PEM.
        key: Option<PathBuf> = None;
    }
}

section! {
    /// What holds for every stream.
    pub struct Streams, "streams" {
        /// How long a stream whose publisher vanished waits for it to come back before it ends, in milliseconds.
        @live grace_ms: u64 = 5_000, in 0..=600_000;
    }
}

section! {
    /// The process.
    pub struct Process, "process" {
        /// What this server is called among others, in metrics and hooks. Without one it is called as its machine is.
        name: String = String::new();
        /// How long sessions have to end when the server is told to stop, in milliseconds.
        stop_ms: u64 = 5_000, in 0..=600_000;
        /// How long a server may take to send its viewers and publishers to others before it stops, in milliseconds: one of a cluster when SIGTERM tells it to stop, and any when /cdn/drain is called. A second signal ends it at once; with 0, SIGTERM stops without sending anybody elsewhere.
        drain_ms: u64 = 20_000, in 0..=3_600_000;
        /// The folder for what the server makes for itself and keeps, such as its self-signed certificate. Without one it is $STATE_DIRECTORY, which systemd sets, or `headwater` below the user's folder for program state.
        state: Option<PathBuf> = None;
        /// Whether a configuration file that changes is read again within some seconds. It is checked whole, and refused whole if anything is wrong with it.
        watch_config: bool = true;
    }
}

section! {
    /// A built-in test picture with a clock and a tone, for a first look without any encoder.
    pub struct Demo, "demo" {
        /// Whether it is published. The option --demo sets this.
        enabled: bool = false;
        /// The name of its stream.
        name: String = "demo".into();
    }
}

section! {
    /// The log, on standard error.
    pub struct Log, "log" {
        /// The least important messages to write: "error", "warn", "info", "debug" or "trace", also by module as in "info,headwater_rtmp=debug".
        @live level: String = "info".into();
        /// "text" for people, "json" for programs.
        format: LogFormat = LogFormat::Text;
    }
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

impl Setting for LogFormat {
    fn read(value: &Value) -> Option<LogFormat> {
        match value {
            Value::Text(text) if text == "text" => Some(LogFormat::Text),
            Value::Text(text) if text == "json" => Some(LogFormat::Json),
            _ => None,
        }
    }

    fn expects() -> String {
        "\"text\" or \"json\"".into()
    }

    fn write(&self) -> String {
        quote(match self {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        })
    }
}
