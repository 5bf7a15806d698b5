//! Why the server does not start.

use std::{io, net::SocketAddr};

use crate::config::{ConfigError, Listener, Place};

/// Why the server does not start; each says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Configuration: it cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Configuration, or another program: an address cannot be listened on.
    #[error("{what} cannot listen on {address}: {}. {}", reason(.source), remedy(.source, .section, .key, .place))]
    Listen {
        /// What would be spoken there.
        what: &'static str,
        /// The address.
        address: SocketAddr,
        /// The section that says the address.
        section: &'static str,
        /// The key that says the port.
        key: &'static str,
        /// Who set the port.
        place: Place,
        /// What the operating system says.
        source: io::Error,
    },
    /// Configuration: something that a section names cannot be used.
    #[error("{what} cannot start: {reason}. Look at [{section}], set by {place}")]
    Protocol {
        /// What would be spoken.
        what: &'static str,
        /// What is wrong.
        reason: String,
        /// The section that says so.
        section: &'static str,
        /// Who set its key.
        place: Place,
    },
    /// User: what came on standard input cannot be used.
    #[error("standard input cannot be used: {0}. Write one line, as in `echo PASSWORD | origin --hash-password`")]
    Input(io::Error),
    /// The operating system gives no threads or timers.
    #[error("the runtime cannot start: {0}")]
    Runtime(io::Error),
}

impl StartError {
    pub(crate) fn listen(listener: &Listener, place: Place, source: io::Error) -> StartError {
        StartError::Listen {
            what: listener.what,
            address: listener.address,
            section: listener.section,
            key: listener.key,
            place,
            source,
        }
    }
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "another program, perhaps another Headwater, uses that port".into(),
        io::ErrorKind::AddrNotAvailable => "this machine does not have that address".into(),
        io::ErrorKind::PermissionDenied => "ports below 1024 need a permission that this process does not have".into(),
        _ => error.to_string(),
    }
}

fn remedy(error: &io::Error, section: &str, key: &str, place: &Place) -> String {
    let variable = crate::config::variable(section, key);
    match error.kind() {
        io::ErrorKind::AddrNotAvailable => {
            "Set `address` in [listen] to an address of this machine, or use --listen.".into()
        }
        _ => format!("Stop that program, or set another `{key}` in [{section}] or {variable} (now by {place})."),
    }
}
