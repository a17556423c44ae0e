//! Numbers for people.

use std::time::Duration;

/// "13,896".
pub fn count(n: impl TryInto<u64>) -> String {
    let digits = n.try_into().unwrap_or(u64::MAX).to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// "1 concept", "13,896 concepts".
pub fn counted(n: usize, singular: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{} {singular}{plural}", count(n as u64))
}

/// As [`counted`], of a word with a plural of its own.
#[cfg(feature = "workbench")]
pub fn counted_as(n: usize, singular: &str, plural: &str) -> String {
    format!("{} {}", count(n as u64), if n == 1 { singular } else { plural })
}

/// "90.9 MB": powers of 1000, as disks are sold.
pub fn bytes(n: u64) -> String {
    let mut value = n as f64;
    let mut units = ["B", "kB", "MB", "GB", "TB"].into_iter();
    let mut unit = units.next().unwrap_or_default();
    for next in units {
        if value < 999.95 {
            break;
        }
        (value, unit) = (value / 1000.0, next);
    }
    if unit == "B" { format!("{n} B") } else { format!("{value:.1} {unit}") }
}

/// Reads "512MB", "1.5 GB", "2GiB" or a plain number of bytes.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let problem = || format!("a size such as 512MB or 2GiB is expected, not `{text}`");
    let digits = text.trim().find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.trim().len());
    let (number, unit) = text.trim().split_at(digits);
    let unit: f64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kb" => 1e3,
        "m" | "mb" => 1e6,
        "g" | "gb" => 1e9,
        "kib" => 1024.0,
        "mib" => 1024.0 * 1024.0,
        "gib" => 1024.0 * 1024.0 * 1024.0,
        _ => return Err(problem()),
    };
    let number: f64 = number.parse().map_err(|_| problem())?;
    // A size beyond what a u64 holds is as good as no ceiling.
    Ok((number * unit) as u64)
}

/// "3.2 ms", "41 s", "12 min 5 s".
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    match seconds {
        s if s < 0.1 => format!("{:.1} ms", s * 1e3),
        s if s < 1.0 => format!("{:.0} ms", s * 1e3),
        s if s < 10.0 => format!("{s:.1} s"),
        s if s < 120.0 => format!("{s:.0} s"),
        s => format!("{} min {:.0} s", (s / 60.0) as u64, (s % 60.0).floor()),
    }
}

/// Units a second, for work that took some time.
pub fn rate(n: usize, time: Duration) -> f64 {
    n as f64 / time.as_secs_f64().max(1e-6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_scaled() {
        assert_eq!(
            ["0", "999", "1,000", "13,896", "1,234,567"],
            [0u64, 999, 1000, 13_896, 1_234_567].map(count).each_ref().map(String::as_str)
        );
        assert_eq!(counted(1, "text"), "1 text");
        assert_eq!(counted(2, "text"), "2 texts");
        assert_eq!([bytes(999), bytes(1000), bytes(90_868_376)], ["999 B", "1.0 kB", "90.9 MB"]);
        assert_eq!(bytes(999_960), "1.0 MB");
        let sizes = ["512MB", " 1.5 gb", "2GiB", "4096", "0", "64k"].map(|text| parse_bytes(text).unwrap());
        assert_eq!(sizes, [512_000_000, 1_500_000_000, 2 << 30, 4096, 0, 64_000]);
        assert!(["", "MB", "-1MB", "1.2.3", "5 parsecs", "∞"].iter().all(|text| parse_bytes(text).is_err()));
        assert_eq!(duration(Duration::from_micros(3210)), "3.2 ms");
        assert_eq!(duration(Duration::from_secs(725)), "12 min 5 s");
    }
}
