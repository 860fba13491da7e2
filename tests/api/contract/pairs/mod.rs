//! The rows that the four pairs of dialect A share: each test runs once for each pair that it is named
//! with. What only one of them has is in the pair's own module.

/// Tests that run for a pair each: `pairs! { test: Pair::Login as login, …; }`.
macro_rules! pairs {
    ($($test:ident: $($pair:ident as $name:ident),*;)*) => {$(
        mod $test {
            $(
                #[tokio::test]
                async fn $name() {
                    super::$test(crate::support::pair::Pair::$pair).await;
                }
            )*
        }
    )*};
}

mod redeem;
mod send;
