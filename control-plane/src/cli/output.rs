//! Writing to people and to scripts. Results go to standard output, everything else to standard error.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use serde_json::Value;

use super::failure::{Failure, Result};
use super::table::Table;

/// Where a command writes.
#[derive(Clone, Copy, Debug)]
pub struct Out {
    /// The API's JSON instead of text.
    pub json: bool,
    /// Only what was asked for: names and ids, no notes, no progress.
    pub quiet: bool,
    /// Somebody looks at standard error.
    pub live: bool,
    colour: bool,
}

impl Out {
    /// As the flags and the environment have it.
    #[must_use]
    pub fn new(json: bool, quiet: bool) -> Self {
        let colour = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
        Self { json, quiet, live: io::stderr().is_terminal(), colour }
    }

    /// A table of the result.
    pub fn table(self, table: &Table) -> Result<()> {
        let text = table.render(self.colour);
        if text.is_empty() { Ok(()) } else { line(text) }
    }

    /// Something beside the result, for people. Nobody waits for it: a failure to write it is none of the command's.
    pub fn note(self, text: impl AsRef<str>) {
        if !self.quiet {
            let _ = writeln!(io::stderr().lock(), "{}", text.as_ref());
        }
    }

    /// Whether progress is to be shown: not to scripts, unless somebody looks on.
    #[must_use]
    pub fn shows_progress(self) -> bool {
        !self.quiet && (!self.json || self.live)
    }

    /// Says why a command failed.
    pub fn failure(self, failure: &Failure) {
        let text = match failure.json() {
            Some(value) if self.json => format!("{value}\n"),
            _ => failure.text(),
        };
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }
}

/// Writes the API's answer, for scripts.
pub fn document(value: &Value) -> Result<()> {
    line(serde_json::to_string_pretty(value).map_err(io::Error::from)?)
}

/// Writes a line of a result.
pub fn line(text: impl AsRef<str>) -> Result<()> {
    raw(format!("{}\n", text.as_ref()).as_bytes())
}

/// Writes bytes of a result as they are.
pub fn raw(bytes: &[u8]) -> Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    Ok(out.flush()?)
}

/// Says what went wrong, if anything did, and gives what the process ends with.
pub fn finish(out: Out, done: Result<()>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            out.failure(&failure);
            ExitCode::from(failure.exit_code())
        }
    }
}

/// A text from elsewhere without what would move the cursor or colour the terminal.
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}
