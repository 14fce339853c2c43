//! Named points at which a test may kill this process. Without the feature `fault-points` they are nothing.

/// Kills this process as kill -9 does, if the file that the environment's `MPANEL_FAULT_FILE` names says this point: `name`, or
/// `name#2` for the second time that it is reached. Processes with one file count together, and the one that counts to the end dies
/// alone: the point is wanted no more then.
#[cfg(feature = "fault-points")]
pub fn point(name: &str) {
    match is_last(name) {
        Ok(false) => {}
        Ok(true) => {
            let killed = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
            tracing::error!(?killed, name, "could not kill this process at its fault point");
            std::process::abort();
        }
        Err(error) => tracing::error!(%error, name, "the file of the fault point could not be used"),
    }
}

/// Counts down, where this point is wanted.
#[cfg(feature = "fault-points")]
fn is_last(name: &str) -> std::io::Result<bool> {
    use std::fs::File;
    use std::io::{ErrorKind, Read as _, Seek as _, Write as _};

    let Some(path) = std::env::var_os("MPANEL_FAULT_FILE") else { return Ok(false) };
    let mut file = match File::options().read(true).write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    file.lock()?;
    let mut wanted = String::new();
    file.read_to_string(&mut wanted)?;
    let (wanted, times) = wanted.split_once('#').unwrap_or((&wanted, "1"));
    if wanted != name {
        return Ok(false);
    }
    let times: u32 = times.parse().map_err(std::io::Error::other)?;
    file.set_len(0)?;
    file.rewind()?;
    if times > 1 {
        write!(file, "{name}#{}", times - 1)?;
    }
    Ok(times == 1)
}

/// Nothing: this build has no fault points.
#[cfg(not(feature = "fault-points"))]
#[inline]
pub fn point(_name: &str) {}
