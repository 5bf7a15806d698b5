//! A bell wakes a task, not a viewer.

use std::{
    future::poll_fn,
    task::{Context, Poll},
};

use crate::sync::{Arc, AtomicBool, AtomicWaker, Ordering};

/// Tells one task that some of its cursors have something to read.
///
/// A task has one bell and any number of cursors. However often it is rung before the task looks, the task wakes
/// once.
#[derive(Clone, Debug)]
pub struct Bell(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    rung: AtomicBool,
    waker: AtomicWaker,
}

impl Bell {
    /// A silent bell.
    pub fn new() -> Bell {
        Bell(Arc::new(Inner { rung: AtomicBool::new(false), waker: AtomicWaker::new() }))
    }

    /// Rings: the task that waits is woken, or does not wait next time.
    pub fn ring(&self) {
        if !self.0.rung.swap(true, Ordering::AcqRel) {
            self.0.waker.wake();
        }
    }

    /// Silences the bell and says whether it had been rung.
    pub fn take(&self) -> bool {
        self.0.rung.swap(false, Ordering::AcqRel)
    }

    /// Waits until the bell is rung and silences it. One task at a time may wait.
    pub async fn rung(&self) {
        poll_fn(|context| self.poll_rung(context)).await;
    }

    /// The same as [`Bell::rung`], for hand-written futures.
    pub fn poll_rung(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.take() {
            return Poll::Ready(());
        }
        #[cfg(not(loom))]
        self.0.waker.register(context.waker());
        #[cfg(loom)]
        self.0.waker.register_by_ref(context.waker());
        if self.take() { Poll::Ready(()) } else { Poll::Pending }
    }

    pub(crate) fn is(&self, other: &Bell) -> bool {
        std::ptr::eq(&*self.0, &*other.0)
    }
}

impl Default for Bell {
    fn default() -> Bell {
        Bell::new()
    }
}
