//! What mails say.

use crate::clock::Ms;

/// A mail, before it is addressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// What it is, for the audit: `invitation`.
    pub kind: &'static str,
    /// One line.
    pub subject: String,
    /// Plain text.
    pub text: String,
}

impl Letter {
    /// Somebody is invited to a tenant. `link`: where to accept; good until `until`.
    #[must_use]
    pub fn invitation(tenant: &str, role: &str, link: &str, until: Ms) -> Self {
        let tenant = line(tenant);
        Self {
            kind: "invitation",
            subject: format!("You are invited to {tenant}"),
            text: format!(
                "You are invited to {tenant} as {role}.\n\nTo accept, open this link; it works once, until {}:\n\n  {link}\n\n\
                 On the command line, `mpanel user accept` asks for what stands after its #.\n\nIf you do not know what this is about, do nothing: without the link nobody can act in your name.\n",
                until.to_rfc3339()
            ),
        }
    }

    /// Somebody who lost their password may set a new one at `link`, until `until`.
    #[must_use]
    pub fn password_reset(link: &str, until: Ms) -> Self {
        Self {
            kind: "password_reset",
            subject: "Set a new password".to_owned(),
            text: format!(
                "Somebody, probably you, asked for a new password for this address.\n\nTo set one, open this link; it works once, \
                 until {}:\n\n  {link}\n\nIf it was not you, do nothing: your password stays as it is.\n",
                until.to_rfc3339()
            ),
        }
    }

    /// Somebody who lost what they sign in with is let in anew by staff: a new password is set at `link`, until `until`.
    #[must_use]
    pub fn recovered(link: &str, until: Ms) -> Self {
        Self {
            kind: "recovered",
            subject: "Your sign-in was reset".to_owned(),
            text: format!(
                "The platform's staff have taken your password and your second factor away, because somebody, probably you, told them \
                 that they were lost. Your sessions and API tokens were ended.\n\nTo set a new password, open this link; it works \
                 once, until {}:\n\n  {link}\n\nThen turn the second factor on again. If it was not you, tell the platform's staff \
                 at once.\n",
                until.to_rfc3339()
            ),
        }
    }

    /// Somebody at `address` knows the password of this account and guesses at its second factor.
    #[must_use]
    pub fn second_guessed(at: Ms, address: &str) -> Self {
        Self {
            kind: "second_guessed",
            subject: "Somebody knows your password".to_owned(),
            text: format!(
                "Until {}, somebody at {address} has signed in with your right password and then given a wrong second factor many \
                 times. They are not in.\n\nIf it was not you, set another password at once by the link \"password forgotten\", and \
                 tell your administrator.\n",
                at.to_rfc3339()
            ),
        }
    }

    /// Somebody's password was changed, by themselves or by a link that they were sent; so many of their API tokens were ended.
    #[must_use]
    pub fn password_changed(at: Ms, tokens_ended: u64) -> Self {
        let tokens = if tokens_ended > 0 { format!(" and API tokens ({tokens_ended})") } else { String::new() };
        Self {
            kind: "password_changed",
            subject: "Your password was changed".to_owned(),
            text: format!(
                "Your password was changed at {}, and your other sessions{tokens} were ended.\n\nIf it was not you, set a new password \
                 at once by the link \"password forgotten\", and tell your administrator.\n",
                at.to_rfc3339()
            ),
        }
    }
}

/// A name as one line of a mail.
fn line(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_on_its_line() {
        let letter = Letter::invitation("Acme\r\nBcc: all@example.net", "MEMBER", "https://x/#t", Ms(0));
        assert_eq!(letter.subject, "You are invited to Acme  Bcc: all@example.net");
        assert!(letter.text.contains("  https://x/#t\n") && letter.text.contains("1970-01-01T00:00:00Z"), "{letter:?}");
    }
}
