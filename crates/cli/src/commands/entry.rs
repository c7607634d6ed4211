//! From arguments to the function of a command, and from its answer to the process's exit code.

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};
use tracing_subscriber::EnvFilter;

use crate::args::{Cli, ColorChoice, Command, Global};
use crate::commands::{
    check, demo, doctor, fleet, init, list, local, report, rerun, resume, run, show, sweep,
};
use crate::failure::{Failure, Outcome};
use crate::printer::{Printer, Verbosity};

/// Parses the arguments and runs the command.
pub(crate) fn main() -> ExitCode {
    crate::secrets::hide_own();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(answer) => return answered(&answer),
    };
    let printer = Printer {
        verbosity: verbosity(&cli.global),
    };
    set_color(cli.global.color);
    set_tracing(printer.verbosity);
    let exit = match dispatch(cli.command, printer) {
        Ok(exit) => exit,
        Err(Failure { exit, message }) => {
            printer.error(message);
            exit
        }
    };
    ExitCode::from(exit.code())
}

/// Help, the version, or what is wrong with the arguments, which may quote a secret.
fn answered(answer: &clap::Error) -> ExitCode {
    let printer = Printer {
        verbosity: Verbosity::Normal,
    };
    let text = answer.render().ansi().to_string();
    let text = text.trim_end_matches('\n');
    if answer.use_stderr() {
        printer.error(text);
    } else {
        printer.data(text);
    }
    ExitCode::from(u8::try_from(answer.exit_code()).unwrap_or(1))
}

fn dispatch(command: Command, printer: Printer) -> Outcome {
    if starts_processes(&command)
        && let Err(error) = process_tree::become_subreaper()
    {
        let text = format!("error: could not become the reaper of orphaned processes: {error}");
        return Err(Failure::fatal(text));
    }
    match command {
        Command::Run(args) => runtime()?.block_on(run::run(args, printer)),
        Command::Resume(args) => runtime()?.block_on(resume::resume(&args, printer)),
        Command::Rerun(args) => runtime()?.block_on(rerun::rerun(&args, printer)),
        Command::Sweep(args) => runtime()?.block_on(sweep::sweep(&args, printer)),
        Command::Doctor(args) => runtime()?.block_on(doctor::doctor(&args, printer)),
        Command::Check(args) => runtime()?.block_on(check::check(&args, printer)),
        Command::List(args) => list::list(&args, printer),
        Command::Show(args) => show::show(&args, printer),
        Command::Report(args) => report::report(&args, printer),
        Command::Fleet(args) => runtime()?.block_on(fleet::fleet(args, printer)),
        Command::Local(args) => runtime()?.block_on(local::local(args, printer)),
        Command::Init(args) => init::init(&args, printer),
        Command::Schema => {
            printer.json(&harness::spec::schema());
            Ok(run_record::ExitCode::Success)
        }
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "harness", &mut text);
            printer.bytes(&text);
            Ok(run_record::ExitCode::Success)
        }
        Command::Demo(demo) => small_runtime()?.block_on(demo::demo(demo, printer)),
    }
}

/// Commands whose process trees must not get away even when a supervisor is killed.
fn starts_processes(command: &Command) -> bool {
    matches!(
        command,
        Command::Run(_)
            | Command::Resume(_)
            | Command::Rerun(_)
            | Command::Check(_)
            | Command::Doctor(_)
            | Command::Local(_)
    )
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let built = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    built.map_err(cannot_start)
}

/// The demo's processes are many and small: one thread each.
fn small_runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let built = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    built.map_err(cannot_start)
}

fn cannot_start(error: std::io::Error) -> Failure {
    Failure::fatal(format!("error: could not start the async runtime: {error}"))
}

fn verbosity(global: &Global) -> Verbosity {
    match (global.quiet, global.verbose) {
        (true, _) => Verbosity::Quiet,
        (false, 0) => Verbosity::Normal,
        (false, 1) => Verbosity::Verbose,
        (false, _) => Verbosity::Debug,
    }
}

fn set_color(choice: ColorChoice) {
    let choice = match choice {
        // The stream asks NO_COLOR, CLICOLOR_FORCE and the terminal itself.
        ColorChoice::Auto => return,
        ColorChoice::Always => anstream::ColorChoice::Always,
        ColorChoice::Never => anstream::ColorChoice::Never,
    };
    choice.write_global();
}

fn set_tracing(verbosity: Verbosity) {
    let default = match verbosity {
        Verbosity::Quiet => "off",
        Verbosity::Normal => "error,fleet_local::verify=info",
        Verbosity::Verbose => "warn,harness=info,fleet_api=info,fleet_local=info",
        Verbosity::Debug => {
            "info,harness=debug,fleet_api=debug,fleet_local=debug,process_tree=debug"
        }
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(crate::display::Log)
        .with_target(verbosity >= Verbosity::Debug)
        .without_time()
        .init();
}
