//! Has the processor fetch memory that is needed soon, while it does something else.
//!
//! Between two turns of a viewer its state leaves the caches: hundreds of viewers come between, and the kernel with
//! each. Fetched line by line as it is used, it costs a wait for each line.

/// Bytes that a processor fetches at once.
const LINE_BYTES: usize = 64;

/// Asks for all lines of a value. Does nothing where the compiler has no word for it.
#[inline]
pub(crate) fn prefetch<T>(value: &T) {
    let lines = size_of::<T>().div_ceil(LINE_BYTES);
    for line in 0..lines {
        fetch(std::ptr::from_ref(value).cast::<i8>().wrapping_add(line * LINE_BYTES));
    }
}

#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code, reason = "a prefetch reads and writes nothing, and never faults, whatever the address")]
#[inline]
fn fetch(address: *const i8) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: `prefetcht0` is a hint. It is defined for every address, and part of the base set of x86-64.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(address) }
}

#[cfg(not(target_arch = "x86_64"))]
#[inline]
fn fetch(_address: *const i8) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_all_sizes_may_be_asked_for_and_stay_as_they_are() {
        let (none, small, large) = ((), 7_u8, [5_u64; 1_000]);
        prefetch(&none);
        prefetch(&small);
        prefetch(&large);
        assert!(small == 7 && large.iter().all(|number| *number == 5));
    }
}
