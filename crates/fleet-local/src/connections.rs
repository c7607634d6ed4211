//! The connections to an address that is served here: how many there are at most, and that none is left.
//!
//! axum's own server leaves those of clients that do not read, or do not finish their request, to themselves.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::{Service, ServiceExt as _};

/// All that is open at an address. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Connections {
    tasks: TaskTracker,
    /// Nobody new is let in, and what is under way comes to its end.
    stop: CancellationToken,
    /// Everything ends at once.
    cut: CancellationToken,
    room: Arc<Semaphore>,
    silence: Duration,
}

/// A client's place among those that are let in. What goes on with a connection beyond its requests keeps it.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    _permit: Arc<OwnedSemaphorePermit>,
}

/// How long a client may be silent before a request, and take for its head. Longer than clients keep connections for
/// later: one that is closed just when it is used again costs a repeat.
const SILENCE: Duration = Duration::from_secs(75);

impl Connections {
    /// Not more than this many clients are let in at once; the next ones wait.
    pub(crate) fn at_most(limit: usize) -> Self {
        Self {
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            cut: CancellationToken::new(),
            room: Arc::new(Semaphore::new(limit)),
            silence: SILENCE,
        }
    }

    /// With less patience for clients that say nothing.
    #[cfg(test)]
    pub(crate) fn silent_for(mut self, silence: Duration) -> Self {
        self.silence = silence;
        self
    }

    /// As many clients as there are descriptors for.
    pub(crate) fn unlimited() -> Self {
        Self::at_most(Semaphore::MAX_PERMITS)
    }

    /// Answers what comes to `listener`, until the stop.
    pub(crate) fn serve<S>(&self, mut listener: TcpListener, service: S)
    where
        S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send,
    {
        let this = self.clone();
        self.spawn(async move {
            loop {
                let next = async {
                    let place = Arc::clone(&this.room).acquire_owned().await;
                    let (stream, _) = axum::serve::Listener::accept(&mut listener).await;
                    (stream, place.expect("the semaphore is never closed"))
                };
                // Both may be dropped: a place that was taken is given back, and nobody was let in yet.
                let (stream, place) = tokio::select! {
                    biased;
                    () = this.stop.cancelled() => return,
                    next = next => next,
                };
                let place = Place {
                    _permit: Arc::new(place),
                };
                this.spawn(answer(stream, place, service.clone(), this.clone()));
            }
        });
    }

    /// Runs something that has a connection, until it ends or all are cut.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let cut = self.cut.clone();
        self.tasks.spawn(async move {
            cut.run_until_cancelled(work).await;
        });
    }

    /// Ends everything at once, for an owner that cannot wait.
    pub(crate) fn cut(&self) {
        self.stop();
        self.cut.cancel();
    }

    /// Lets nobody new in. Requests under way go on.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    /// Returns when no connection is left. Requests under way have `patience` to end; what is left then are clients
    /// that do not read, and they are cut off.
    pub(crate) async fn close(self, patience: Duration) {
        self.stop();
        self.tasks.close();
        if tokio::time::timeout(patience, self.tasks.wait())
            .await
            .is_err()
        {
            self.cut.cancel();
            self.tasks.wait().await;
        }
    }
}

/// Answers the requests of one client, which have its [`Place`] with them.
async fn answer<S>(stream: TcpStream, place: Place, service: S, connections: Connections)
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    // Small pieces go on at once: waiting for more would cost each event 40 ms. An error here shows below.
    let _ = stream.set_nodelay(true);
    let service = service.map_request(move |mut request: http::Request<Incoming>| {
        request.extensions_mut().insert(place.clone());
        request.map(Body::new)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(connections.silence)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
        .with_upgrades();
    let mut connection = pin!(connection);
    // The second may be dropped, it only listens; the first is polled again below.
    let ended = tokio::select! {
        biased;
        ended = connection.as_mut() => ended,
        () = connections.stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::trace!("a connection broke: {error}");
    }
}
