//! Times and sizes as people say them, and as they write them.

use std::time::Duration;

use serde_json::Value;

use crate::clock::Ms;

/// Binary prefixes of sizes in MiB.
const MIB: u64 = 1;
const GIB: u64 = 1024;
const TIB: u64 = 1024 * 1024;

/// How long before or after now: `3 min ago`, `in 2 h`.
#[must_use]
pub fn ago(at: Ms, now: Ms) -> String {
    let past = now.since(at);
    let future = at.since(now);
    match (past.as_secs(), future.as_secs()) {
        (0..2, 0..2) => "just now".to_owned(),
        (0, _) => format!("in {}", span(future)),
        _ => format!("{} ago", span(past)),
    }
}

/// A length of time in its largest unit; below ten seconds with a decimal.
#[must_use]
pub fn span(duration: Duration) -> String {
    let s = duration.as_secs();
    match s {
        0..10 => format!("{:.1} s", duration.as_secs_f64()),
        10..100 => format!("{s} s"),
        100..7200 => format!("{} min", (s + 30) / 60),
        7200..172_800 => format!("{} h", (s + 1800) / 3600),
        _ => format!("{} d", (s + 43_200) / 86_400),
    }
}

/// A time of the API's JSON as `3 min ago`; empty when there is none.
#[must_use]
pub fn when(value: &Value, now: Ms) -> String {
    value.as_str().and_then(Ms::from_rfc3339).map_or_else(String::new, |at| ago(at, now))
}

/// A size in MiB: `512 MiB`, `1.5 GiB`; empty when there is none.
#[must_use]
pub fn mib(value: &Value) -> String {
    value.as_u64().map_or_else(String::new, |mib| size(mib, MIB))
}

/// A size in GiB: `20 GiB`, `1.5 TiB`; empty when there is none.
#[must_use]
pub fn gib(value: &Value) -> String {
    value.as_u64().map_or_else(String::new, |gib| size(gib, GIB))
}

fn size(number: u64, unit_mib: u64) -> String {
    let mib = number.saturating_mul(unit_mib);
    let (unit, name) = match mib {
        0..GIB if unit_mib == MIB => (MIB, "MiB"),
        0..TIB => (GIB, "GiB"),
        _ => (TIB, "TiB"),
    };
    let text = format!("{:.1}", mib as f64 / unit as f64);
    format!("{} {name}", text.strip_suffix(".0").unwrap_or(&text))
}

/// Reads `512M`, `2G`, `2GiB`, `1T`; a bare number is MiB.
pub fn parse_mib(text: &str) -> Result<u64, String> {
    parse_size(text, MIB)
}

/// Reads `20`, `20G`, `1T`; a bare number is GiB.
pub fn parse_gib(text: &str) -> Result<u64, String> {
    parse_size(text, GIB)
}

fn parse_size(text: &str, bare_mib: u64) -> Result<u64, String> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let wrong = || format!("`{text}` is no size: write 512M, 2G or 1T");
    let unit_mib = match unit.trim().to_ascii_lowercase().trim_end_matches("ib").trim_end_matches('b') {
        "" if unit.is_empty() => bare_mib,
        "m" => MIB,
        "g" => GIB,
        "t" => TIB,
        _ => return Err(wrong()),
    };
    let mib = number.parse::<u64>().ok().and_then(|n| n.checked_mul(unit_mib)).ok_or_else(wrong)?;
    if mib.is_multiple_of(bare_mib) { Ok(mib / bare_mib) } else { Err(format!("`{text}` is no whole number of GiB")) }
}

/// Reads `30s`, `5m`, `2h`.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    crate::config::parse_duration(text).ok_or_else(|| format!("`{text}` is no duration: write 500ms, 30s, 5m or 2h"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_in_their_largest_unit() {
        let now = Ms(1_000_000_000);
        for (seconds, expected) in [
            (0, "just now"),
            (5, "5.0 s ago"),
            (42, "42 s ago"),
            (180, "3 min ago"),
            (7200, "2 h ago"),
            (432_000, "5 d ago"),
            (-600, "in 10 min"),
        ] {
            assert_eq!(ago(Ms(now.0 - seconds * 1000), now), expected, "{seconds}");
        }
        assert_eq!(when(&Value::Null, now), "");
    }

    #[test]
    fn sizes_are_said_in_the_unit_that_fits() {
        for (mib_, expected) in [(512, "512 MiB"), (1024, "1 GiB"), (1536, "1.5 GiB"), (3 << 20, "3 TiB")] {
            assert_eq!(mib(&mib_.into()), expected);
        }
        assert_eq!(gib(&20.into()), "20 GiB");
        assert_eq!(gib(&0.into()), "0 GiB");
        assert_eq!(gib(&1536.into()), "1.5 TiB");
        assert_eq!(mib(&Value::Null), "");
    }

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, expected) in
            [("512", 512), ("512M", 512), ("2G", 2048), ("2GiB", 2048), ("1T", 1 << 20), (" 2 g", 2048)]
        {
            assert_eq!(parse_mib(text), Ok(expected), "{text}");
        }
        assert_eq!(parse_gib("20"), Ok(20));
        assert_eq!(parse_gib("1T"), Ok(1024));
        for text in ["", "G", "2X", "-1", "99999999999999999999"] {
            assert!(parse_mib(text).is_err(), "{text}");
        }
        assert!(parse_gib("512M").is_err());
    }
}
