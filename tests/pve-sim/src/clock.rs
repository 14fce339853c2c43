//! The one place that reads the clock, and that makes random things.

use std::time::{SystemTime, UNIX_EPOCH};

/// Unix milliseconds.
pub(crate) fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

/// Unix seconds.
pub(crate) fn now_s() -> i64 {
    now_ms() / 1000
}

/// The date in a response's header.
pub(crate) fn http_date() -> String {
    let now = time::OffsetDateTime::from_unix_timestamp(now_s()).unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
    let weekday = &now.weekday().to_string()[..3];
    let month = &now.month().to_string()[..3];
    let (day, year, hour, minute, second) = (now.day(), now.year(), now.hour(), now.minute(), now.second());
    format!("{weekday}, {day:02} {month} {year} {hour:02}:{minute:02}:{second:02} GMT")
}

/// Today as `2026-11-20`.
pub(crate) fn date() -> String {
    let now = time::OffsetDateTime::from_unix_timestamp(now_s()).unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
    format!("{}-{:02}-{:02}", now.year(), u8::from(now.month()), now.day())
}

/// So many seconds from now as year, month, day, hour, minute, second.
fn parts(ahead: i64) -> (i32, u8, u8, u8, u8, u8) {
    let time = time::OffsetDateTime::from_unix_timestamp(now_s() + ahead).unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
    (time.year(), u8::from(time.month()), time.day(), time.hour(), time.minute(), time.second())
}

/// Now as `2026-11-20 17:00:03`.
pub(crate) fn date_time() -> String {
    let (year, month, day, hour, minute, second) = parts(0);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// So many seconds from now as `2026_11_20-17_00_03`.
pub(crate) fn file_time(ahead: i64) -> String {
    let (year, month, day, hour, minute, second) = parts(ahead);
    format!("{year}_{month:02}_{day:02}-{hour:02}_{minute:02}_{second:02}")
}

/// Random bytes; from the time should the system ever have none.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    if getrandom::fill(&mut bytes).is_err() {
        let seed = now_ms().to_le_bytes();
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = seed[at % seed.len()].wrapping_mul(31).wrapping_add(at as u8);
        }
    }
    bytes
}

/// A random UUID.
pub(crate) fn uuid() -> String {
    let mut bytes: [u8; 16] = random();
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex = hex(&bytes);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// A random MAC address under the prefix that Proxmox VE gives out.
pub(crate) fn mac() -> String {
    let bytes: [u8; 3] = random();
    format!("BC:24:11:{:02X}:{:02X}:{:02X}", bytes[0], bytes[1], bytes[2])
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        out.push_str(&format!("{byte:02x}"));
        out
    })
}
