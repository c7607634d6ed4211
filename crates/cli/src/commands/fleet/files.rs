//! `harness fleet files`: what was written in an instance, and what a file holds.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use fleet_api::Client;
use fleet_api::types::manager::FileStateBody;
use harness::spec::{format_size, parse_size};
use run_record::ExitCode;

use super::args::Limit;
use super::failed::{Done, Failed};
use super::grid::Column;
use super::input;
use super::manager::Target;
use super::output::{Output, Table};

#[derive(Debug, Args)]
pub(crate) struct FilesArgs {
    #[command(subcommand)]
    command: FilesCommand,
}

#[derive(Debug, Subcommand)]
enum FilesCommand {
    /// The files that were written since the instance began
    Diff {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        limit: Limit,
    },
    /// The text of a file
    Cat(CatArgs),
}

#[derive(Debug, Args)]
struct CatArgs {
    #[command(flatten)]
    target: Target,
    /// The file in the instance
    path: String,
    /// The text of a document instead: a PDF, a spreadsheet, a letter
    #[arg(long)]
    document: bool,
    /// Read at most so much
    #[arg(long, value_name = "SIZE", default_value = "10MiB", value_parser = size)]
    max_size: u64,
    /// Write it to this file instead of stdout
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

fn size(text: &str) -> Result<u64, String> {
    parse_size(text).map_err(|error| format!("{error}; write it as 64KiB or 10MiB"))
}

pub(super) async fn files(args: FilesArgs, client: &Client, out: Output) -> Done {
    match args.command {
        FilesCommand::Diff { target, limit } => diff(&target, &limit, client, out).await,
        FilesCommand::Cat(args) => cat(&args, client, out).await,
    }
}

async fn diff(target: &Target, limit: &Limit, client: &Client, out: Output) -> Done {
    let diff = target.manager(client).await?.files().diff().await?;
    if out.json {
        out.printer.json(&diff);
        return Ok(ExitCode::Success);
    }
    let table = Table {
        columns: &[
            Column::flexible("file"),
            Column::number("bytes"),
            Column::text("kind"),
            Column::text("written"),
        ],
        none: "no file was written since the instance began",
    };
    out.rows(&diff.files, limit, &table, |file| {
        vec![
            file.path.clone(),
            file.size.to_string(),
            file.file_type.clone(),
            out.moment(&file.modified_time),
        ]
    })
}

async fn cat(args: &CatArgs, client: &Client, out: Output) -> Done {
    let files = args.target.manager(client).await?.files();
    if args.document {
        let text = files.document_text(&args.path).await?;
        if out.json {
            out.printer.json(&text);
            return Ok(ExitCode::Success);
        }
        return deliver(&text, args, out);
    }
    let body = FileStateBody {
        max_content_size: args.max_size,
        ..FileStateBody::new(&args.path)
    };
    let file = files.state_of(&body).await?;
    if !file.exists {
        let instance = args.target.instance();
        return Err(
            Failed::usage(format!("there is no file {} in the instance", args.path)).help(format!(
                "`harness fleet files diff {instance}` lists what was written"
            )),
        );
    }
    if out.json {
        out.printer.json(&file);
        return Ok(ExitCode::Success);
    }
    let Some(text) = &file.content else {
        return Err(Failed::usage(format!("{} has no text", args.path))
            .help("--document reads the text of documents"));
    };
    deliver(text, args, out)?;
    if file.size.is_some_and(|size| size > args.max_size) {
        let (all, read) = (file.size.unwrap_or_default(), format_size(args.max_size));
        out.note(format!(
            "only the first {read} of {all} bytes; --max-size reads more"
        ));
    }
    Ok(ExitCode::Success)
}

fn deliver(text: &str, args: &CatArgs, out: Output) -> Done {
    match &args.output {
        Some(path) => {
            input::write(path, text.as_bytes())?;
            out.note(format!("wrote {} bytes to {}", text.len(), path.display()));
        }
        None => out.printer.bytes(text.as_bytes()),
    }
    Ok(ExitCode::Success)
}
