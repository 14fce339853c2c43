//! `mpanel`: the control plane and its command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    control_plane::cli::main()
}
