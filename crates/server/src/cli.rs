//! The command line that every role has.

use std::{
    io::{self, BufRead, Read, Write},
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    process::ExitCode,
};

use clap::{CommandFactory, FromArgMatches, Parser};
use headwater_media::limits;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    config::{Config, ConfigError, Place, Problem, Sources},
    descriptors,
    error::StartError,
    log,
    protocols::Listening,
    server::Server,
};

/// A streaming media server: RTMP in; WebRTC, RTMP and HTTP-FLV out.
#[derive(Debug, Parser)]
#[command(
    version,
    about,
    after_help = "Every key of the configuration can also be set in the environment, \
    as HEADWATER__SECTION__KEY=value."
)]
struct Arguments {
    /// Read the configuration from this file.
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Read the configuration, say what is wrong with it, and do not start.
    #[arg(short = 't', long)]
    check_config: bool,
    /// Write a configuration with every key, its meaning and its default, and do not start.
    #[arg(long)]
    print_default_config: bool,
    /// Read a password, a line, from standard input, write the hash of it for `users` below [access], and do not start.
    #[arg(long)]
    hash_password: bool,
    /// Make a random token for a program, write it and its entry for `tokens` below [access], and do not start.
    #[arg(long)]
    make_token: bool,
    /// Move all listeners to this address; any other than loopback needs users, tokens or keys below [access], or `insecure = true` below [listen].
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<IpAddr>,
    /// Publish a moving test picture with a clock and a tone under the name `demo`.
    #[arg(long)]
    demo: bool,
}

/// Runs a server of that role as the command line says; what went wrong is on standard error.
pub fn main(role: &'static str) -> ExitCode {
    let matches = Arguments::command().name(role).get_matches();
    let arguments = match Arguments::from_arg_matches(&matches) {
        Ok(arguments) => arguments,
        Err(error) => error.exit(),
    };
    match run(role, &arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell when standard error is closed.
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(role: &'static str, arguments: &Arguments) -> Result<(), StartError> {
    if arguments.print_default_config {
        print(&Config::default().to_toml());
        return Ok(());
    }
    if arguments.hash_password {
        return hash_password();
    }
    if arguments.make_token {
        let (token, hash) =
            headwater_access::make_token().map_err(|error| StartError::Runtime(io::Error::other(error)))?;
        print(&format!("token: {token}\nentry: \"NAME:ROLE:{hash}\"\n"));
        return Ok(());
    }
    let config = Config::load(&sources(role, arguments)?)?;
    if arguments.check_config {
        print("The configuration is good.\n");
        return Ok(());
    }
    log::start(&config.log);
    log::log_panics();
    config.limits.apply();
    descriptors::raise();
    let runtime = tokio::runtime::Runtime::new().map_err(StartError::Runtime)?;
    let result = runtime.block_on(serve(&config));
    // What did not end in time must not hold the process.
    runtime.shutdown_background();
    log::end();
    result
}

/// The hash of the password on standard input, on standard output.
fn hash_password() -> Result<(), StartError> {
    let mut input = String::new();
    let most = limits::ACCESS_TOKEN_BYTES.get().saturating_add(2);
    io::stdin().lock().take(most).read_line(&mut input).map_err(StartError::Input)?;
    let password = input.trim_end_matches(['\r', '\n']);
    if password.is_empty() || password.len() > limits::ACCESS_TOKEN_BYTES.get_usize() {
        return Err(StartError::Input(io::Error::other("a password has at least one letter and at most 8 KiB")));
    }
    let hash = headwater_access::hash_password(password);
    print(&format!("{}\n", hash.map_err(|error| StartError::Runtime(io::Error::other(error)))?));
    Ok(())
}

fn sources(role: &'static str, arguments: &Arguments) -> Result<Sources, ConfigError> {
    let mut environment = Vec::new();
    for (name, value) in std::env::vars_os() {
        let Ok(name) = name.into_string() else {
            continue;
        };
        match value.into_string() {
            Ok(value) => environment.push((name, value)),
            Err(_) if name.starts_with("HEADWATER__") => {
                let problem = Problem {
                    place: Place::Environment(name),
                    message: "the value is not UTF-8".into(),
                    remedy: "Write it in UTF-8.".into(),
                };
                return Err(ConfigError { problems: vec![problem] });
            }
            Err(_) => {}
        }
    }
    Ok(Sources {
        file: arguments.config.clone(),
        environment,
        listen: arguments.listen,
        demo: arguments.demo,
        role,
        set: Vec::new(),
    })
}

async fn serve(config: &Config) -> Result<(), StartError> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(StartError::Runtime)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(StartError::Runtime)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(StartError::Runtime)?;
    let server = Server::start(config)?;
    tell(server.listening(), config);
    loop {
        tokio::select! {
            _ = interrupt.recv() => break,
            _ = terminate.recv() => {
                tokio::select! {
                    () = server.drain() => break,
                    _ = interrupt.recv() => return Ok(()),
                    _ = terminate.recv() => return Ok(()),
                }
            }
            () = server.drained_to_stop() => break,
            _ = hangup.recv() => {
                if let Err(error) = server.reload() {
                    tracing::error!(%error, "the configuration is refused; the server goes on as it was");
                }
            }
        }
    }
    tracing::info!("stopping; a second signal stops at once");
    tokio::select! {
        in_time = server.stop() => tracing::info!(in_time, "stopped"),
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

fn tell(listening: &[Listening], config: &Config) {
    for Listening { what, address } in listening {
        tracing::info!(%address, "{what} listens");
    }
    let address = |what: &str| listening.iter().find(|listening| listening.what == what).map(|found| found.address);
    if let Some(address) = address("HTTP").map(reachable) {
        tracing::info!("streams and players: http://{address}/");
        if config.demo.enabled {
            tracing::info!("the test picture: http://{address}/play/{}", config.demo.name);
        }
    }
    if let Some(address) = address("HTTPS").map(reachable) {
        tracing::info!("the same with TLS, for cameras in pages of other machines: https://{address}/");
    }
    if let Some(address) = address("RTMP").map(reachable) {
        tracing::info!("publish to: rtmp://{address}/live/NAME");
    }
}

/// An address that works in a link on this machine.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => SocketAddr::from(([127, 0, 0, 1], address.port())),
        IpAddr::V6(ip) if ip.is_unspecified() => SocketAddr::from(([127, 0, 0, 1], address.port())),
        _ => address,
    }
}

fn print(text: &str) {
    // A closed standard output, as behind `| head`, is no error.
    let _ = io::stdout().write_all(text.as_bytes());
}
