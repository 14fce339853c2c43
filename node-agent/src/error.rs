//! Why the agent cannot do what it was told on the command line. What goes wrong with a command of the control plane is told to the
//! control plane instead.

use std::error::Error as StdError;
use std::fmt::Write as _;

/// The result of what the command line starts.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure that ends the process; the text names the cause and the cure.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting is missing, unknown or unusable.
    #[error("{0}")]
    Config(String),
    /// There is no identity, or it cannot be read or written.
    #[error("{0}")]
    Identity(String),
    /// The control plane refused or could not be reached.
    #[error("{0}")]
    ControlPlane(String),
    /// The ledger belongs to another process.
    #[error("{0}")]
    Ledger(String),
    /// The operating system refused something.
    #[error("{0}")]
    System(String),
}

/// An error with all its causes, as one line: "transport error: connection refused".
pub fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.ends_with(&words) {
            // Writing to a String cannot fail.
            let _ = write!(text, ": {words}");
        }
        cause = error.source();
    }
    text
}
