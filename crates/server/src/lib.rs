//! Composition: configuration, the one list of protocols, start and stop.

mod config;
mod protocols;

pub use config::{
    Config, ConfigError, Demo, Http, Key, Limits, Listen, Log, LogFormat, Place, Problem, Process,
    RawValue, Section, Sources, Streams,
};
