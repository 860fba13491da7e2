//! Work that goes on after the answer.
//!
//! Lambda hands an answer to its caller as soon as the runtime has posted it, and freezes the
//! environment when the runtime asks for the next event. So between the two there is time that nobody
//! waits for (<https://aws.amazon.com/blogs/compute/running-code-after-returning-a-response-from-an-aws-lambda-function/>):
//! [`crate::runtime`] waits for what is left here before it asks. What is done there may be lost with
//! its environment, so nothing that a promise rests on is.

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::task::JoinHandle;

use crate::{app::App, telemetry::context};

/// What is left to do after an answer.
#[derive(Default)]
pub struct Background(Mutex<Left>);

#[derive(Default)]
struct Left {
    waiting: Vec<Pin<Box<dyn Future<Output = ()> + Send>>>,
    begun: Vec<JoinHandle<()>>,
}

impl Background {
    fn left(&self) -> MutexGuard<'_, Left> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves work for after the answer. `app` is the one this belongs to.
    pub(crate) fn leave(&self, app: Arc<App>, work: impl Future<Output = ()> + Send + 'static) {
        let work = Box::pin(context::continued(app, work));
        self.left().waiting.push(work);
    }

    /// Begins what has been left. Before the answer is on its way it would be in its way: on one
    /// thread, what can run does.
    pub fn begin(&self) {
        let mut left = self.left();
        left.begun.retain(|work| !work.is_finished());
        let waiting = std::mem::take(&mut left.waiting);
        left.begun.extend(waiting.into_iter().map(tokio::spawn));
    }

    /// Begins what has been left, and waits until it is done.
    pub async fn settle(&self) {
        self.begin();
        let begun = std::mem::take(&mut self.left().begun);
        for work in begun {
            // A panic is logged by the process's hook, and no more than this work.
            let _ = work.await;
        }
    }
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
    use crate::config::Config;

    #[tokio::test]
    async fn what_is_left_waits_for_the_answer_to_be_on_its_way() {
        let lookup = |name: &str| {
            let value = match name {
                "KEY_RING" => {
                    r#"{"active":"k","k":"QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="}"#
                }
                "AWS_REGION"
                | "AWS_ACCESS_KEY_ID"
                | "AWS_SECRET_ACCESS_KEY"
                | "USERS_TABLE"
                | "CODES_TABLE" => "x",
                _ => return None,
            };
            Some(value.to_owned())
        };
        let app = Arc::new(App::new(Config::from_lookup(&lookup).unwrap()).unwrap());
        let done = Arc::new(AtomicBool::new(false));
        let work = done.clone();
        app.after_answer(async move |_| work.store(true, Ordering::Relaxed));
        for _ in 0..10 {
            yield_now().await;
        }
        assert!(!done.load(Ordering::Relaxed), "before the answer");
        app.background.settle().await;
        assert!(done.load(Ordering::Relaxed));
    }
}
