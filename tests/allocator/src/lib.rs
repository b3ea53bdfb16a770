//! An allocator that counts, for tests of what something may allocate.
//!
//! It is the global allocator of every binary that uses this crate. The counts are the calling
//! thread's: the test harness has threads of its own, which allocate.

#![expect(unsafe_code, reason = "a global allocator has to be unsafe")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    static HELD: Cell<isize> = const { Cell::new(0) };
}

/// Allocations of this thread so far; one that moves counts again.
#[must_use]
pub fn allocations() -> usize {
    ALLOCATIONS.get()
}

/// What this thread has allocated and not given back. Unit: bytes.
#[must_use]
pub fn held() -> isize {
    HELD.get()
}

struct Counting;

impl Counting {
    fn took(bytes: usize) {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        HELD.set(HELD.get().saturating_add_unsigned(bytes));
    }

    fn gave(bytes: usize) {
        HELD.set(HELD.get().saturating_sub_unsigned(bytes));
    }
}

// SAFETY: every call is passed on to `System` as it came; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::took(layout.size());
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        Self::gave(layout.size());
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        Self::gave(layout.size());
        Self::took(size);
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_is_taken_moved_and_given_back() {
        let (allocations_before, held_before) = (allocations(), held());
        let counted = || (allocations() - allocations_before, held() - held_before);
        let mut bytes = Vec::<u8>::with_capacity(100);
        assert_eq!(counted(), (1, 100));
        bytes.reserve_exact(300);
        assert_eq!(counted(), (2, 300));
        drop(bytes);
        assert_eq!(counted(), (2, 0));
    }
}
