//! Work at the same time, without a rayon pool.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::sync::{Mutex, PoisonError};
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

/// Does all jobs, several at the same time where the caller has more than one thread to work on. Not on a rayon pool, as
/// [`beside`].
///
/// # Errors
/// That of a job that failed; jobs not begun by then are not done.
pub(super) fn on_threads<T: Send, E: Send>(jobs: Vec<T>, work: impl Fn(T) -> Result<(), E> + Sync) -> Result<(), E> {
    let jobs = Mutex::new(jobs.into_iter());
    // The lock is held while a job is taken, which cannot panic.
    let next = || jobs.lock().unwrap_or_else(PoisonError::into_inner).next();
    let worker = || -> Result<(), E> {
        while let Some(job) = next() {
            work(job).inspect_err(|_| while next().is_some() {})?;
        }
        Ok(())
    };
    let (aside, here) = beside(worker, worker);
    here.and(aside)
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
    fn all_jobs_are_done_once_and_an_error_ends_them() {
        let done = Mutex::new(Vec::new());
        let push = |job: usize| -> Result<(), usize> {
            done.lock().unwrap().push(job);
            if job == 70 { Err(job) } else { Ok(()) }
        };
        assert_eq!(on_threads((0..50).collect(), push), Ok(()));
        let mut first = std::mem::take(&mut *done.lock().unwrap());
        first.sort_unstable();
        assert_eq!(first, (0..50).collect::<Vec<_>>());
        assert_eq!(on_threads((50..10_000).collect(), push), Err(70));
        assert!(done.lock().unwrap().len() < 9_950);
        assert_eq!(on_threads(Vec::new(), push), Ok(()));
    }

    #[test]
    fn a_panic_arrives_at_the_caller() {
        let caught = std::panic::catch_unwind(|| beside(|| panic!("aside"), || 1));
        assert_eq!(caught.unwrap_err().downcast_ref::<&str>(), Some(&"aside"));
    }
}
