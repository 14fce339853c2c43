//! The terminal that this runs in: raw, so that every key goes to the guest, and on every end as it was before.

use std::io;

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use tokio::net::unix::pipe::{OpenOptions, Receiver, Sender};

/// What a guest may have left on: colours, a hidden cursor, reports of the mouse, marks around what is pasted.
const PLAIN: &[u8] = b"\x1b[0m\x1b[?25h\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l";

/// The controlling terminal. Opened anew, because non-blocking is a property of what all who were given our standard input share.
pub struct Terminal {
    keys: Receiver,
    screen: Sender,
    before: Termios,
}

impl Terminal {
    /// Makes it raw.
    pub fn open() -> io::Result<Self> {
        // To read and write, a terminal is like a pipe, which it is taken for unless it is looked at.
        let mut tty = OpenOptions::new();
        let tty = tty.unchecked(true);
        let (keys, screen) = (tty.open_receiver("/dev/tty")?, tty.open_sender("/dev/tty")?);
        let before = tcgetattr(&keys)?;
        let mut raw = before.clone();
        raw.make_raw();
        let terminal = Self { keys, screen, before };
        tcsetattr(&terminal.keys, OptionalActions::Now, &raw)?;
        Ok(terminal)
    }

    /// Columns and rows.
    pub fn size(&self) -> io::Result<(u16, u16)> {
        let size = tcgetwinsize(&self.screen)?;
        Ok((size.ws_col, size.ws_row))
    }

    /// What is typed; none: it is gone.
    pub async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            self.keys.readable().await?;
            match self.keys.try_read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read,
            }
        }
    }

    /// Shows all of it.
    pub async fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            self.screen.writable().await?;
            match self.screen.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => bytes = &bytes[written?..],
            }
        }
        Ok(())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // A terminal that is gone needs none of it.
        let _ = self.screen.try_write(PLAIN);
        let _ = tcsetattr(&self.keys, OptionalActions::Now, &self.before);
    }
}
