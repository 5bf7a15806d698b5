//! A bell wakes a task, not a viewer.

use std::{
    future::poll_fn,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use crate::sync::{Arc, AtomicBool, AtomicU64, AtomicWaker, Ordering};

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
    watch: Option<Watch>,
}

/// Notes when a bell is rung, by the clock of whoever waits for it.
#[derive(Debug)]
struct Watch {
    now: fn() -> Instant,
    begun: Instant,
    /// In nanoseconds from the beginning.
    rung_at: AtomicU64,
}

impl Watch {
    fn note(&self) {
        let since = (self.now)().saturating_duration_since(self.begun);
        self.rung_at.store(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

impl Bell {
    /// A silent bell.
    pub fn new() -> Bell {
        Bell(Arc::new(Inner { rung: AtomicBool::new(false), waker: AtomicWaker::new(), watch: None }))
    }

    /// A silent bell that notes when it is rung.
    pub fn watched(now: fn() -> Instant) -> Bell {
        let watch = Watch { now, begun: now(), rung_at: AtomicU64::new(0) };
        Bell(Arc::new(Inner { rung: AtomicBool::new(false), waker: AtomicWaker::new(), watch: Some(watch) }))
    }

    /// Rings: the task that waits is woken, or does not wait next time.
    pub fn ring(&self) {
        if let Some(watch) = &self.0.watch
            && !self.0.rung.load(Ordering::Relaxed)
        {
            watch.note();
        }
        if !self.0.rung.swap(true, Ordering::AcqRel) {
            self.0.waker.wake();
        }
    }

    /// How long ago it was rung first since it was silenced last; for a bell that notes it.
    pub fn since_rung(&self) -> Option<Duration> {
        let watch = self.0.watch.as_ref()?;
        let rung_at = Duration::from_nanos(watch.rung_at.load(Ordering::Relaxed));
        Some((watch.now)().saturating_duration_since(watch.begun).saturating_sub(rung_at))
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
