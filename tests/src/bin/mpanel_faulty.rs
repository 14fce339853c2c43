//! `mpanel` with its fault points compiled in, for suites that kill it.

use std::process::ExitCode;

fn main() -> ExitCode {
    control_plane::cli::main()
}
