//! The command line; everything else is the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    rosterd::cli::main()
}
