//! Deferred work: what a request leaves to be done after its answer.
//!
//! Lambda gives an answer to its caller as soon as the runtime has posted it, and freezes the
//! environment when the runtime asks for the next event. Between the two, work delays no caller
//! (<https://aws.amazon.com/blogs/compute/running-code-after-returning-a-response-from-an-aws-lambda-function/>).
//! [`crate::runtime`] waits for the deferred work before it asks for the next event. Deferred work can
//! be lost with its environment, so no guarantee rests on it.

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::task::JoinSet;

use crate::{
    clock,
    telemetry::context::{self, RequestInfo},
};

/// The deferred work of a process.
#[derive(Default)]
pub struct Background(Mutex<Queue>);

/// Boxed, so that all of it is polled by the same code: the binaries stay small.
type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

#[derive(Default)]
struct Queue {
    waiting: Vec<Work>,
    started: JoinSet<()>,
}

impl Background {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Defers work until [`Self::start`]. It belongs to the request it was deferred by: its log lines
    /// and its metrics carry that request's id.
    pub(crate) fn defer(&self, work: impl Future<Output = ()> + Send + 'static) {
        let work: Work = Box::pin(work);
        let work = match context::current() {
            Some(request) => Box::pin(in_context(request, work)),
            None => work,
        };
        self.queue().waiting.push(work);
    }

    /// Starts the deferred work. It is not started earlier: on a current-thread runtime it would run
    /// before the answer is written.
    pub fn start(&self) {
        let mut queue = self.queue();
        while queue.started.try_join_next().is_some() {}
        let waiting = std::mem::take(&mut queue.waiting);
        for work in waiting {
            queue.started.spawn(work);
        }
    }

    /// Starts the deferred work, and waits until all of it is done, what it deferred included. If the wait is
    /// abandoned, the work that is under way ends with it.
    pub async fn settle(&self) {
        loop {
            self.start();
            let mut started = std::mem::take(&mut self.queue().started);
            if started.is_empty() {
                return;
            }
            // `join_all` would pass a panic on. A panic ends its own piece of work, and the process's
            // hook has logged it.
            while started.join_next().await.is_some() {}
        }
    }
}

async fn in_context(request: Arc<RequestInfo>, work: Work) {
    context::scope(request, clock::now(), work).await;
}

impl fmt::Debug for Background {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Background")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use tokio::task::yield_now;

    use super::*;

    #[tokio::test]
    async fn deferred_work_runs_once_it_is_started_and_not_before() {
        let background = Background::default();
        let done = Arc::new(AtomicBool::new(false));
        let work = done.clone();
        background.defer(async move { work.store(true, Ordering::Relaxed) });
        for _ in 0..10 {
            yield_now().await;
        }
        assert!(!done.load(Ordering::Relaxed), "before the answer");
        background.settle().await;
        assert!(done.load(Ordering::Relaxed));
    }

    #[tokio::test]
    async fn what_deferred_work_defers_is_waited_for_too() {
        let background = Arc::new(Background::default());
        let done = Arc::new(AtomicBool::new(false));
        let (inner, work) = (background.clone(), done.clone());
        background.defer(async move {
            inner.defer(async move { work.store(true, Ordering::Relaxed) });
        });
        background.settle().await;
        assert!(done.load(Ordering::Relaxed));
    }

    #[tokio::test]
    async fn a_panic_of_deferred_work_ends_that_work_alone() {
        let background = Background::default();
        let done = Arc::new(AtomicBool::new(false));
        let work = done.clone();
        background.defer(async { panic!("of the test") });
        background.defer(async move { work.store(true, Ordering::Relaxed) });
        background.settle().await;
        assert!(done.load(Ordering::Relaxed));
    }
}
