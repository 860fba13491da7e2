//! How API Gateway limits requests: with a bucket of tokens, one of which each request takes.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-throttling.html>

use shared::domain::time::UnixMs;

/// The `ThrottlingRateLimit` and `ThrottlingBurstLimit` of the `HttpApi`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Throttle {
    /// So many tokens are added every second.
    pub rate: u32,
    /// So many tokens the bucket holds.
    pub burst: u32,
}

/// The bucket. All requests draw on it.
#[derive(Debug)]
pub struct Bucket {
    throttle: Throttle,
    /// In thousandths, so that each millisecond adds whole ones.
    tokens: u64,
    filled: UnixMs,
}

const TOKEN: u64 = 1000;

impl Bucket {
    /// A full one.
    pub fn full(throttle: Throttle, now: UnixMs) -> Self {
        Self {
            throttle,
            tokens: u64::from(throttle.burst) * TOKEN,
            filled: now,
        }
    }

    /// Takes a token, if there is one.
    pub fn admits(&mut self, now: UnixMs) -> bool {
        let Throttle { rate, burst } = self.throttle;
        let passed = now.0.saturating_sub(self.filled.0);
        let added = passed.saturating_mul(u64::from(rate));
        let most = u64::from(burst) * TOKEN;
        self.tokens = self.tokens.saturating_add(added).min(most);
        self.filled = self.filled.max(now);
        let is_admitted = self.tokens >= TOKEN;
        if is_admitted {
            self.tokens -= TOKEN;
        }
        is_admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_admitted_at_once_and_the_rate_in_the_long_run() {
        let throttle = Throttle { rate: 50, burst: 3 };
        let mut bucket = Bucket::full(throttle, UnixMs(0));
        let mut admitted = |at| (0..10).filter(|_| bucket.admits(UnixMs(at))).count();
        assert_eq!(admitted(0), 3);
        assert_eq!(admitted(19), 0);
        assert_eq!(admitted(20), 1);
        assert_eq!(admitted(10), 0, "a clock that goes back adds nothing");
        assert_eq!(admitted(100_000), 3, "no more than the burst");
        let in_a_second: usize = (100_001..=101_000).map(admitted).sum();
        assert_eq!(in_a_second, 50);
    }
}
