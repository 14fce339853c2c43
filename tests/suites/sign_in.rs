//! How people prove who they are: passwords, sign-ins and their tokens, second factors, cookies, mails, and the attacks on each.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "sign_in/attacks.rs"]
mod attacks;
#[path = "sign_in/browser.rs"]
mod browser;
#[path = "sign_in/cli.rs"]
mod cli;
#[path = "sign_in/forged.rs"]
mod forged;
#[path = "sign_in/invitations.rs"]
mod invitations;
#[path = "sign_in/mail.rs"]
mod mail;
#[path = "sign_in/oidc.rs"]
mod oidc;
#[path = "sign_in/others.rs"]
mod others;
#[path = "sign_in/passwords.rs"]
mod passwords;
#[path = "sign_in/sessions.rs"]
mod sessions;
#[path = "sign_in/totp.rs"]
mod totp;

use control_plane::clock::{Clock, Ms};

/// A clock that a test moves.
fn still() -> Clock {
    Clock::manual(Ms(1_800_000_000_000))
}
