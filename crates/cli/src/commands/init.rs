//! `harness init`: an environment, tasks and specs to start from.

use run_record::ExitCode;

use super::demo_package;
use crate::args::InitArgs;
use crate::failure::{Failure, Outcome};
use crate::printer::Printer;

pub(crate) fn init(args: &InitArgs, printer: Printer) -> Outcome {
    let written = demo_package::unpack(&args.dir).map_err(|error| {
        Failure::usage(format!(
            "error: could not fill `{}`: {error}",
            args.dir.display()
        ))
        .hint("give a folder that does not have these files yet")
    })?;
    for path in &written {
        printer.say(format_args!("wrote {}", path.display()));
    }
    printer.say("");
    printer.say("next:");
    if args.dir.as_os_str() != "." {
        printer.say(format_args!("  cd {}", args.dir.display()));
    }
    printer.say("  harness run configs/quickstart.yaml");
    Ok(ExitCode::Success)
}
