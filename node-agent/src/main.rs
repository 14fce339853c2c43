//! `mpanel-agent`: see the library's `cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    node_agent::cli::main()
}
