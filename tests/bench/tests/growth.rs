//! What a request consumes does not depend on the size of the tables.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use bench::growth;

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_accounts_and_codes_cost_a_request_no_more_than_ten() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let few = growth::run(&root, 10).await.unwrap();
    let many = growth::run(&root, 2_000).await.unwrap();
    assert_eq!(growth::differences(&few, &many), Vec::<String>::new());
}
