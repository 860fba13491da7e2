//! The rows that the four pairs of dialect A share: each test runs once for each pair that it is named
//! with. What only one of them has is in the pair's own module.

/// Makes each of these functions a test for each of these pairs.
macro_rules! tests_for {
    (@ $test:ident [$($pair:ident as $name:ident),*]) => {
        mod $test {
            $(
                #[tokio::test]
                async fn $name() {
                    super::$test(crate::support::pair::Pair::$pair).await;
                }
            )*
        }
    };
    ($pairs:tt: $($test:ident),*) => {
        $(tests_for!(@ $test $pairs);)*
    };
}

mod redeem;
mod send;
