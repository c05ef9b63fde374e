//! The `swabline` program: read the command line, run one command, say what went wrong.

use std::process::ExitCode;

use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    swabline::cli::run()
}
