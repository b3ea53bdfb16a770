//! `gyre`: the whole suite in one process.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    gyre_standalone::cli::run(std::env::args_os(), &mut std::io::stdout())
}
