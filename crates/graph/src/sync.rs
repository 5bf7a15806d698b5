//! The shared-memory primitives of lanes and bells, replaced by their modelled twins under loom.

#[cfg(not(loom))]
pub(crate) use real::*;

#[cfg(loom)]
pub(crate) use modelled::*;

#[cfg(not(loom))]
mod real {
    pub(crate) use std::sync::{
        Arc, OnceLock as Slot,
        atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering},
    };

    pub(crate) use futures_util::task::AtomicWaker;
    pub(crate) use parking_lot::Mutex;

    /// A value that one side replaces and many sides read without a lock.
    #[derive(Debug)]
    pub(crate) struct Published<T>(arc_swap::ArcSwap<T>);

    impl<T> Published<T> {
        pub(crate) fn new(value: T) -> Published<T> {
            Published(arc_swap::ArcSwap::from_pointee(value))
        }

        pub(crate) fn read<R>(&self, read: impl FnOnce(&T) -> R) -> R {
            read(&self.0.load())
        }

        pub(crate) fn replace(&self, value: T) {
            self.0.store(Arc::new(value));
        }
    }
}

#[cfg(loom)]
#[allow(unsafe_code)]
mod modelled {
    use loom::cell::UnsafeCell;

    pub(crate) use loom::future::AtomicWaker;
    pub(crate) use loom::sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering},
    };

    /// `std::sync::OnceLock` as loom sees it: one writer, published by a release store.
    #[derive(Debug)]
    pub(crate) struct Slot<T> {
        written: AtomicBool,
        value: UnsafeCell<Option<T>>,
    }

    // SAFETY: the value is written once, before `written` is released, and only read after it is acquired.
    unsafe impl<T: Send + Sync> Sync for Slot<T> {}

    impl<T> Slot<T> {
        pub(crate) fn new() -> Slot<T> {
            Slot { written: AtomicBool::new(false), value: UnsafeCell::new(None) }
        }

        pub(crate) fn set(&self, value: T) -> Result<(), T> {
            // SAFETY: lanes have one writer, which sets each slot once.
            self.value.with_mut(|slot| unsafe { *slot = Some(value) });
            self.written.store(true, Ordering::Release);
            Ok(())
        }

        pub(crate) fn get(&self) -> Option<&T> {
            if !self.written.load(Ordering::Acquire) {
                return None;
            }
            // SAFETY: released by `set`, never written again.
            self.value.with(|slot| unsafe { (*slot).as_ref() })
        }
    }

    /// A mutex with the interface of `parking_lot`.
    #[derive(Debug)]
    pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Mutex<T> {
            Mutex(loom::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> loom::sync::MutexGuard<'_, T> {
            self.0.lock().unwrap()
        }
    }

    /// `arc_swap` as loom sees it: reading and replacing are atomic.
    #[derive(Debug)]
    pub(crate) struct Published<T>(Mutex<Arc<T>>);

    impl<T> Published<T> {
        pub(crate) fn new(value: T) -> Published<T> {
            Published(Mutex::new(Arc::new(value)))
        }

        pub(crate) fn read<R>(&self, read: impl FnOnce(&T) -> R) -> R {
            let value = self.0.lock().clone();
            read(&value)
        }

        pub(crate) fn replace(&self, value: T) {
            *self.0.lock() = Arc::new(value);
        }
    }
}
