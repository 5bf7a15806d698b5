//! Composition: configuration, the one list of protocols, start and stop.
//!
//! A role is a binary of a few lines: it calls [`main`]. Whoever embeds the server makes a [`Config`], calls
//! [`Server::start`] on a tokio runtime, and [`Server::stop`] at the end.

mod certificates;
mod cli;
mod config;
mod conversions;
mod demo;
mod descriptors;
mod drain;
mod error;
mod figures;
mod gates;
mod http;
mod log;
mod protocols;
mod reference;
mod reload;
mod routes;
mod server;
mod traces;

pub use cli::main;
pub use config::{
    Config, ConfigError, Demo, Http, Https, Key, Limits, Listen, Log, LogFormat, Place, Problem, Process, RawValue,
    Section, Set, Sources, Streams, Tls,
};
pub use error::StartError;
pub use protocols::Listening;
pub use reference::{Page, reference};
pub use reload::Reloaded;
pub use server::{Load, Server};
