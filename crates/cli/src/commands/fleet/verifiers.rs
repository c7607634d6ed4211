//! `harness fleet verifiers`: what the service has stored.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use fleet_api::Client;
use fleet_api::bundle::Bundle;
use fleet_api::types::VerifierId;
use run_record::ExitCode;

use super::failed::Done;
use super::output::{Output, text};
use super::verify::source;

#[derive(Debug, Args)]
pub(crate) struct VerifiersArgs {
    #[command(subcommand)]
    command: VerifiersCommand,
}

#[derive(Debug, Subcommand)]
enum VerifiersCommand {
    /// The source of a stored one
    Get {
        /// Its id, as a task names it
        id: String,
    },
    /// Whether the service knows the bundle of a file
    Check {
        /// Python source, or a native definition as JSON
        file: PathBuf,
    },
}

pub(super) async fn verifiers(args: VerifiersArgs, client: &Client, out: Output) -> Done {
    match args.command {
        VerifiersCommand::Get { id } => get(&VerifierId::new(id), client, out).await,
        VerifiersCommand::Check { file } => {
            let source = source("", &file)?;
            let bundle = Bundle::pack(&source.code);
            let known = client.check_verifier(bundle.sha256()).await?;
            out.record(
                &known,
                &[
                    ("known", if known.success { "yes" } else { "no" }.to_owned()),
                    ("sha256", bundle.sha256().to_owned()),
                    ("verifier", known.key.clone().unwrap_or_default()),
                    ("version", text(known.version.as_ref())),
                ],
            )
        }
    }
}

async fn get(id: &VerifierId, client: &Client, out: Output) -> Done {
    let verifier = client.verifier(id).await?;
    if out.json {
        out.printer.json(&verifier);
    } else {
        out.note(format!(
            "verifier {}",
            report::text::one_line(&verifier.key)
        ));
        out.printer
            .data(report::text::visible(verifier.code.trim_end()));
    }
    Ok(ExitCode::Success)
}
