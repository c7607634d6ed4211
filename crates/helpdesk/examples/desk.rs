//! Serves a desk without the harness: `cargo run -p helpdesk --example desk -- desk.db 8080`.

use std::error::Error;

use helpdesk::{ServeOptions, serve};

#[tokio::main]
#[expect(
    clippy::print_stderr,
    reason = "an example talks to the person who started it"
)]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let db = arguments.next().unwrap_or_else(|| "desk.db".to_owned());
    let mut options = ServeOptions::new(db).with_variables(|name| std::env::var(name).ok())?;
    options.port = arguments.next().map_or(Ok(8080), |port| port.parse())?;
    eprintln!("http://{}:{}/", options.host, options.port);
    serve(&options, async {
        // A failure to listen for Ctrl-C must not end the server at once.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
    .await?;
    Ok(())
}
