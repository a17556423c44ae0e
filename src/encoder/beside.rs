//! Two pieces of work at the same time.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::thread::{self, Builder};

/// Does both, at the same time where the caller has more than one thread to work on, else one after the other.
///
/// Not on a rayon pool: whoever opens an encoder may hold the lock that keeps others from loading it too. A thread of a
/// pool that waits takes up other work of the pool, which may want that very lock; and when all its threads wait for the
/// lock, none is left for the work. A thread of its own can do neither.
pub(super) fn beside<A: Send, B>(aside: impl Fn() -> A + Sync, here: impl FnOnce() -> B) -> (A, B) {
    if !has_several_threads() {
        return (aside(), here());
    }
    thread::scope(|scope| match Builder::new().spawn_scoped(scope, &aside) {
        // The system has no thread to give.
        Err(_) => (aside(), here()),
        Ok(running) => {
            let here = here();
            (running.join().unwrap_or_else(|panic| resume_unwind(panic)), here)
        }
    })
}

/// Asks the pool that the caller runs on; outside of any, the system. Rayon would start its global pool to answer.
fn has_several_threads() -> bool {
    match rayon::current_thread_index() {
        Some(_) => rayon::current_num_threads() > 1,
        None => thread::available_parallelism().is_ok_and(|n| n > NonZero::<usize>::MIN),
    }
}

#[cfg(test)]
mod tests {
    use std::thread::ThreadId;

    use super::*;

    fn thread_ids(threads: usize) -> (ThreadId, ThreadId, ThreadId) {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let id = || thread::current().id();
        pool.install(|| {
            let (aside, here) = beside(id, id);
            (aside, here, id())
        })
    }

    #[test]
    fn a_pool_of_one_thread_does_all_on_that_thread() {
        let (aside, here, caller) = thread_ids(1);
        assert_eq!((aside, here), (caller, caller));
    }

    #[test]
    fn with_more_threads_one_part_stays_with_the_caller() {
        let (aside, here, caller) = thread_ids(2);
        assert_eq!(here, caller);
        assert_ne!(aside, caller);
    }

    #[test]
    fn a_panic_arrives_at_the_caller() {
        let caught = std::panic::catch_unwind(|| beside(|| panic!("aside"), || 1));
        assert_eq!(caught.unwrap_err().downcast_ref::<&str>(), Some(&"aside"));
    }
}
