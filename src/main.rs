//! The `swabline` program: read the command line, run one command, say what went wrong.

use std::process::ExitCode;

fn main() -> ExitCode {
    swabline::cli::run()
}
