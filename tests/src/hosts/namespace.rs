//! Network namespaces (network_namespaces(7)), held by a file of this process and entered thread by thread.
//! The kernel lets each thread have its own, and programs that a thread starts have that of the thread.

use std::fs::File;
use std::os::fd::AsRawFd;

use anyhow::{Context, Result};
use nix::sched::{CloneFlags, setns, unshare};

/// The network namespace of the thread that asks.
const OWN: &str = "/proc/thread-self/ns/net";
const REFUSED: &str = "this machine lets the test make no network of its own (CAP_SYS_ADMIN and CAP_NET_ADMIN are \
                       needed): run the tests as root, or below \
                       `unshare --map-root-user`";

/// A namespace; it ends when this is dropped and nothing runs there any more.
#[derive(Debug)]
pub(super) struct Namespace(File);

impl Namespace {
    pub(super) fn new() -> Result<Namespace> {
        let made = on_a_thread(|| {
            unshare(CloneFlags::CLONE_NEWNET).context(REFUSED)?;
            File::open(OWN).context(REFUSED)
        })?;
        Ok(Namespace(made))
    }

    /// Another handle of it.
    pub(super) fn file(&self) -> Result<File> {
        self.0.try_clone().context("no more file descriptors")
    }

    /// Names it to other programs, while this lives.
    pub(super) fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd())
    }

    pub(super) fn inside<T: Send>(&self, act: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        inside(&self.0, act)
    }
}

/// Does something in the namespace that a file names.
pub(super) fn inside<T: Send>(namespace: &File, act: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    on_a_thread(|| {
        setns(namespace, CloneFlags::CLONE_NEWNET).context(REFUSED)?;
        act()
    })
}

/// Gives the thread mounts of its own, which those of the machine do not see (mount_namespaces(7)).
pub(super) fn own_mounts() -> Result<()> {
    unshare(CloneFlags::CLONE_NEWNS).context(REFUSED)
}

/// On a thread of its own, which ends with it: the one that asks stays where it is. A panic goes on there.
fn on_a_thread<T: Send>(act: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    std::thread::scope(|scope| scope.spawn(act).join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
}
