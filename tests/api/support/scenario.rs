//! A test on a system of its own.

use super::{
    app::TestApp,
    log,
    people::{ERIC, ERIC_PASSWORD, MARY},
    permissions, secrets,
};

/// Runs a test on a system of its own with eric and mary as its users. Then checks what holds of every
/// system: no log line and no table contains a secret, each log line names function and request, and
/// no function has made a call that the template does not permit.
pub async fn scenario(test: impl AsyncFnOnce(&TestApp)) {
    scenario_with(&[], test).await;
}

/// The same, with these variables in the functions' environment.
pub async fn scenario_with(environment: &[(&str, &str)], test: impl AsyncFnOnce(&TestApp)) {
    log::capture();
    let app = TestApp::start(environment).await;
    let shown = log::ShownOnFailure(app.namespace.clone());
    app.create_user_with(5, "eric", ERIC, Some(ERIC_PASSWORD))
        .await;
    app.create_user(6, "mary", MARY).await;
    // On the heap: unoptimised, the futures of some tests would fill a thread's stack.
    Box::pin(test(&app)).await;
    app.dynamodb.mend().await;
    permissions::assert_permitted(&app.all_calls());
    log::assert_attributed(&app.namespace);
    secrets::assert_kept(&app).await;
    drop(shown);
    log::take(&app.namespace);
}
