//! A use of a stream from the leave for it to its end, with which the gates are kept up to date.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use headwater_graph::Stream;
use parking_lot::Mutex;

use crate::{asking::Action, gate::Change, gates::Admission, refused::Refused, stream_facts::stream_facts};

/// A use of a stream that has been let in. Its gates are told when media flows, and when this is dropped.
#[derive(Debug)]
pub struct Admitted {
    admission: Admission,
    flows: AtomicBool,
    end: Mutex<Change>,
}

impl Admitted {
    /// A use that begins now, and ends well unless [`fail`](Self::fail) says otherwise.
    pub fn new(admission: Admission) -> Admitted {
        let end = Mutex::new(over(admission.action).because("Stopped by user"));
        Admitted { admission, flows: AtomicBool::new(false), end }
    }

    /// What the gates made of the wish.
    pub fn admission(&self) -> &Admission {
        &self.admission
    }

    /// Whether [`flow`](Self::flow) has been said.
    pub fn flows(&self) -> bool {
        self.flows.load(Relaxed)
    }

    /// Media flows. Told once.
    pub fn flow(&self, stream: &Stream) {
        if self.flows.swap(true, Relaxed) {
            return;
        }
        let status = match self.admission.action {
            Action::Publish => "PUBLISHING",
            Action::Play => "PLAYING",
        };
        self.admission.tell(&Change::to(status).with_facts(stream_facts(stream)));
    }

    /// It ends because its peer is connected no more.
    pub fn disconnect(&self) {
        self.end_with(over(self.admission.action).because("Stopped by session disconnect"));
    }

    /// It ends with this.
    pub fn end_with(&self, change: Change) {
        *self.end.lock() = change;
    }

    /// It ends otherwise than by its peer's will; `info` says why, in the words of WCS where it has any.
    pub fn fail(&self, info: impl Into<String>) {
        self.end_with(Change::to("FAILED").because(info));
    }

    /// Waits until a gate takes its leave back; says why.
    pub async fn revoked(&self) -> Refused {
        self.admission.revoked().await
    }
}

fn over(action: Action) -> Change {
    Change::to(match action {
        Action::Publish => "UNPUBLISHED",
        Action::Play => "STOPPED",
    })
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.admission.tell(self.end.get_mut());
    }
}
