//! Passwords: what may be one, and its hash (Argon2id, in PHC form).

pub mod service;

use crate::domain::check::Checks;

/// The shortest password, in characters.
pub const LENGTH_MIN: usize = 12;
/// The longest, in characters: nobody types more, and a hash's time must not hang on what is sent.
pub const LENGTH_MAX: usize = 256;

/// Notes what is wrong with a password that somebody chose. Long is what counts; the rest is theirs (NIST SP 800-63B).
pub fn check(checks: &mut Checks, field: &str, password: &str, email: &str) {
    let length = password.chars().count();
    if !(LENGTH_MIN..=LENGTH_MAX).contains(&length) {
        checks.wrong(
            field,
            format!("must have {LENGTH_MIN} to {LENGTH_MAX} characters; some words in a row are a good one"),
        );
    }
    let mut characters = password.chars();
    let first = characters.next();
    if first.is_some_and(|first| characters.all(|one| one == first)) || password.eq_ignore_ascii_case(email) {
        checks.wrong(field, "is easy to guess: take another one");
    }
}
