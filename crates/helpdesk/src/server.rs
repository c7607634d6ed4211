//! The HTTP server: options, binding, and serving until told to stop.

use std::{
    future::Future,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use axum::{
    Json, Router, extract::DefaultBodyLimit, extract::State, http::StatusCode,
    response::IntoResponse, routing::get,
};
use serde_json::json;
use tokio::net::TcpListener;
use tower_http::{timeout::TimeoutLayer, trace::TraceLayer};

use crate::{
    api,
    clock::Today,
    mcp, pages,
    store::{OpenError, Store},
};

/// The longest text of a form is 20 kB; percent-encoding can triple it.
const MAX_BODY: usize = 256 * 1024;
/// The slowest answer waits five seconds for a locked database.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// The name in comments and in the log if nobody is signed in.
const DEFAULT_ACTOR: &str = "Helpdesk";

/// Where the desk's data are and where it listens.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// The database file; made and filled with demo data if it has no tables.
    pub db: PathBuf,
    /// Loopback by default: the desk has no sign-in.
    pub host: IpAddr,
    /// 0 takes a free one.
    pub port: u16,
    /// Who is signed in: the author of comments and log lines.
    pub actor: String,
    /// The desk's day.
    pub today: Today,
}

impl ServeOptions {
    /// Loopback, a free port, the real day.
    pub fn new(db: impl Into<PathBuf>) -> Self {
        Self {
            db: db.into(),
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 0,
            actor: DEFAULT_ACTOR.to_owned(),
            today: Today::Real,
        }
    }

    /// Takes the day from `CURRENT_DATE` and the signed-in name from `LOGGED_IN_NAME`, as
    /// environments give them to their apps. `variable` looks a name up.
    ///
    /// # Errors
    ///
    /// If `CURRENT_DATE` is not a date.
    pub fn with_variables(
        mut self,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, crate::InvalidDate> {
        if let Some(date) = variable("CURRENT_DATE") {
            self.today = Today::parse(&date)?;
        }
        if let Some(name) = variable("LOGGED_IN_NAME").filter(|name| !name.trim().is_empty()) {
            name.trim().clone_into(&mut self.actor);
        }
        Ok(self)
    }
}

/// Why the desk does not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The database cannot be opened or is not a desk's.
    #[error("the desk cannot be opened")]
    Open(#[source] OpenError),
    /// The address cannot be listened on.
    #[error("{address} cannot be listened on")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The server stopped by itself.
    #[error("the server stopped")]
    Serve(#[source] io::Error),
}

/// A desk that has its port and waits to be served.
pub struct Listening {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
}

impl Listening {
    /// The address with the real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` ends; requests in progress are answered first.
    ///
    /// # Errors
    ///
    /// If the listener breaks.
    pub async fn serve(
        self,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), ServeError> {
        axum::serve(self.listener, self.router)
            .with_graceful_shutdown(shutdown)
            .await
            .map_err(ServeError::Serve)
    }
}

/// Opens the database and binds the port. Blocks for a moment while the file is opened.
///
/// # Errors
///
/// If the database cannot be used or the address is taken.
pub async fn bind(options: &ServeOptions) -> Result<Listening, ServeError> {
    let store =
        Store::open(&options.db, &options.actor, options.today).map_err(ServeError::Open)?;
    let wanted = SocketAddr::new(options.host, options.port);
    let bound = async {
        let listener = TcpListener::bind(wanted).await?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    let (listener, address) = bound.await.map_err(|source| ServeError::Bind {
        address: wanted,
        source,
    })?;
    Ok(Listening {
        listener,
        address,
        router: router(store),
    })
}

/// Binds and serves until `shutdown` ends. Whoever must know the port calls [`bind`] instead.
///
/// # Errors
///
/// As of [`bind`] and [`Listening::serve`].
pub async fn serve(
    options: &ServeOptions,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let listening = bind(options).await?;
    tracing::info!(address = %listening.address(), db = %options.db.display(), "the help desk is open");
    listening.serve(shutdown).await
}

fn router(store: Store) -> Router {
    Router::new()
        .route("/health", get(health))
        .nest("/api", api::router())
        .merge(mcp::routes(store.clone()))
        .merge(pages::router())
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::SERVICE_UNAVAILABLE,
            REQUEST_TIMEOUT,
        ))
        .layer(TraceLayer::new_for_http())
        .with_state(store)
}

/// Healthy means that the database answers, not only that the port is open.
async fn health(State(store): State<Store>) -> impl IntoResponse {
    match store
        .read(|db| Ok(db.query_row("SELECT count(*) FROM agents", [], |_| Ok(()))?))
        .await
    {
        Ok(()) => (
            StatusCode::OK,
            Json(json!({ "status": "ok", "service": "helpdesk" })),
        ),
        Err(error) => (
            StatusCode::SERVICE_UNAVAILABLE,
            Json(json!({ "status": "error", "message": error.to_string() })),
        ),
    }
}
