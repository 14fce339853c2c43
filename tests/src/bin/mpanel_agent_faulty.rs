//! `mpanel-agent` with its fault points compiled in, for suites that kill it.

use std::process::ExitCode;

fn main() -> ExitCode {
    node_agent::cli::main()
}
