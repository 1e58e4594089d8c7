//! Arguments in, exit code out. The table of options is clap's; nothing else of this crate reads arguments.

mod args;
mod display;
mod run;

use std::process::ExitCode;

use clap::Parser as _;

use args::Cli;

/// Runs the command.
pub(crate) async fn main() -> ExitCode {
    let cli = Cli::parse();
    match Box::pin(run::run(cli)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            display::complain(&format!("keelway-pgcopy: {error}"));
            ExitCode::from(error.exit_code())
        }
    }
}
