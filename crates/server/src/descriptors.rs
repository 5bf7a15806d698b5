//! How many files and sockets the process may have open.

use headwater_media::limits;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors for anything but TCP connections: listeners, shards, files.
const OTHERS: u64 = 512;

/// Takes as many descriptors as the system gives, since what it gives unasked is often 1,024.
pub(crate) fn raise() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let allowed = if raised.is_ok() { maximum } else { current };
    let needed = limits::CONNECTIONS.get().saturating_add(OTHERS);
    if let Some(allowed) = allowed.filter(|allowed| *allowed < needed) {
        tracing::warn!(
            allowed,
            needed,
            "the system allows fewer open files than the limit `connections` needs; raise it, such as by LimitNOFILE"
        );
    }
}
