//! Checks of what callers send. All wrong fields are collected, so that a caller hears of all of them at once.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;

use uuid::Uuid;

use crate::error::{Error, FieldError, Result};

/// The fields found wrong so far.
#[derive(Debug, Default)]
pub struct Checks(Vec<FieldError>);

/// The most labels that one thing may have.
const LABELS_MAX: usize = 32;

impl Checks {
    /// Nothing found wrong yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes that `field` is wrong; `message` says what would be right.
    pub fn wrong(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.0.push(FieldError { field: field.into(), message: message.into() });
    }

    /// Notes that `field` is wrong unless `right`.
    pub fn require(&mut self, right: bool, field: &str, message: &str) {
        if !right {
            self.wrong(field, message);
        }
    }

    /// A text of so many characters without control characters (PostgreSQL cannot even store NUL).
    pub fn text(&mut self, field: &str, value: &str, length: RangeInclusive<usize>) {
        let count = value.chars().count();
        if !length.contains(&count) {
            let (min, max) = (length.start(), length.end());
            self.wrong(field, format!("has {count} characters; {min} to {max} are allowed"));
        }
        if value.chars().any(char::is_control) {
            self.wrong(field, "holds control characters; leave them out");
        }
    }

    /// What people call somebody or something, which [`trimmed`] leaves as it is: as [`Checks::text`], with something to see in it.
    pub fn called(&mut self, field: &str, value: &str, length: RangeInclusive<usize>) {
        if value.chars().all(is_blank) {
            self.wrong(field, "is blank; write a name");
        } else {
            self.text(field, value, length);
        }
    }

    /// A name that can stand in a path beside an id.
    pub fn name(&mut self, field: &str, value: &str) {
        if !is_word(value, 63) {
            self.wrong(
                field,
                "must be 1 to 63 letters, digits, '.', '_' or '-', and begin with a letter or a digit, such as pve-1",
            );
        } else if value.parse::<Uuid>().is_ok() {
            self.wrong(field, "must not look like an id; choose a name");
        }
    }

    /// A storage's id as Proxmox VE allows it.
    pub fn storage_name(&mut self, field: &str, value: &str) {
        if !is_word(value, 100) || !value.starts_with(|c: char| c.is_ascii_alphabetic()) {
            self.wrong(field, "must be the id of a Proxmox storage, such as local-lvm");
        }
    }

    /// A bridge's name as Linux allows it for an interface.
    pub fn bridge(&mut self, field: &str, value: &str) {
        if !is_word(value, 15) {
            self.wrong(
                field,
                "must be the name of a bridge on the host: 1 to 15 letters, digits, '.', '_' or '-', such as vmbr0",
            );
        }
    }

    /// A number within bounds.
    pub fn range<T: PartialOrd + Display + Copy>(&mut self, field: &str, value: T, bounds: RangeInclusive<T>) {
        let (min, max) = bounds.into_inner();
        if value < min || value > max {
            self.wrong(field, format!("is {value}; {min} to {max} are allowed"));
        }
    }

    /// Labels: a bounded number of short keys and values.
    pub fn labels(&mut self, field: &str, labels: &BTreeMap<String, String>) {
        if labels.len() > LABELS_MAX {
            self.wrong(field, format!("has {} labels; at most {LABELS_MAX} are allowed", labels.len()));
            return;
        }
        for (key, value) in labels {
            if !is_word(key, 63) {
                let shown: String = key.chars().filter(|c| !c.is_control()).take(63).collect();
                self.wrong(
                    format!("{field}.{shown}"),
                    "a label's key must be 1 to 63 letters, digits, '.', '_' or '-'",
                );
            } else if value.chars().count() > 63 || value.chars().any(char::is_control) {
                self.wrong(
                    format!("{field}.{key}"),
                    "a label's value must be at most 63 characters without control characters",
                );
            }
        }
    }

    /// Fine, or every wrong field.
    pub fn finish(self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(Error::Invalid(self.0)) }
    }
}

/// White space of any script, and what takes no place at all.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}')
}

/// What somebody or something is to be called, without the blanks around it.
#[must_use]
pub fn trimmed(name: &str) -> String {
    name.trim_matches(is_blank).to_owned()
}

fn is_word(value: &str, length_max: usize) -> bool {
    (1..=length_max).contains(&value.len())
        && value.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
        && value.starts_with(|c: char| c.is_ascii_alphanumeric())
}

/// What a host said, fit to be stored: at most so many characters, no control characters.
#[must_use]
pub fn clipped(text: &str, length_max: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(length_max).collect()
}

/// A number as the database keeps it; what is too large for it is the largest there is.
#[must_use]
pub fn stored(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A number as it was stored.
pub fn loaded<T: TryFrom<i64>>(value: i64, column: &'static str) -> Result<T> {
    T::try_from(value).map_err(|_| Error::internal(format!("the column {column} holds {value}, which does not fit")))
}

/// An optional number as it was stored.
pub fn loaded_option<T: TryFrom<i64>>(value: Option<i64>, column: &'static str) -> Result<Option<T>> {
    value.map(|v| loaded(v, column)).transpose()
}
