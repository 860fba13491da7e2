//! Work that goes on after the answer.
//!
//! Lambda hands an answer to its caller as soon as the runtime has posted it, and freezes the
//! environment when the runtime asks for the next event. So between the two there is time that nobody
//! waits for (<https://aws.amazon.com/blogs/compute/running-code-after-returning-a-response-from-an-aws-lambda-function/>):
//! [`crate::runtime`] waits for what is left here before it asks. What is done there may be lost with
//! its environment, so nothing that a promise rests on is.

use std::{
    fmt,
    sync::{Arc, Mutex},
};

use tokio::task::JoinHandle;

use crate::{app::App, request};

/// What is going on after an answer.
#[derive(Default)]
pub struct Background(Mutex<Vec<JoinHandle<()>>>);

impl Background {
    /// Begins it now; the answer doesn't wait for it. `app` is the one this belongs to.
    pub(crate) fn begin(&self, app: Arc<App>, work: impl Future<Output = ()> + Send + 'static) {
        let begun = tokio::spawn(request::continued(app, work));
        if let Ok(mut all) = self.0.lock() {
            all.retain(|work| !work.is_finished());
            all.push(begun);
        }
    }

    /// Waits until all that has been begun is done.
    pub async fn settle(&self) {
        let all = self.0.lock().map(|mut all| std::mem::take(&mut *all));
        for work in all.unwrap_or_default() {
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
