//! Codes: the one in a message, and those that are wrong.

/// The first run of six digits that stands alone.
pub fn digits_of(text: &str) -> String {
    let runs = text.split(|c: char| !c.is_ascii_digit());
    let mut runs = runs.filter(|run| run.len() == 6);
    runs.next().unwrap_or_default().to_owned()
}

/// The `n`-th code that is not the right one.
pub fn wrong(right: &str, n: u32) -> String {
    let right: u32 = right.parse().unwrap();
    format!("{:06}", (right + 1 + n) % 1_000_000)
}
