//! The `noonmark` program.

use std::process::ExitCode;

/// Measured on the running server, see docs/PERFORMANCE.md.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    noonmark::cli::main()
}
