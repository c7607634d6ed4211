//! The connections of one instance's address: how many there are, and that none is left.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

/// Open connections of clients, each with a descriptor of ours and mostly another one to the app. A browser has six
/// to one address, and a WebSocket is a connection more. The next one waits until one has ended.
const CONNECTIONS: usize = 512;

/// How many of them may be upgraded. Those have no end of their own, and some room must be left for the manager. It is
/// what Chromium allows itself.
pub(super) const UPGRADED: usize = 255;

/// After the apps are gone no request can be waiting for one; what is left are clients that do not read. They are cut
/// off.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);

/// All that is open at an address. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Connections {
    tasks: TaskTracker,
    /// Nobody new is let in, and what is under way comes to its end.
    stop: CancellationToken,
    /// Everything ends at once.
    cut: CancellationToken,
    room: Arc<Semaphore>,
    upgraded: Arc<Semaphore>,
}

impl Connections {
    pub(super) fn new() -> Self {
        Self {
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            cut: CancellationToken::new(),
            room: Arc::new(Semaphore::new(CONNECTIONS)),
            upgraded: Arc::new(Semaphore::new(UPGRADED)),
        }
    }

    /// Answers what comes to `listener`, until the stop.
    pub(super) fn serve(&self, mut listener: TcpListener, router: Router) {
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
                this.spawn(answer(stream, place, router.clone(), this.stop.clone()));
            }
        });
    }

    /// A place among the upgraded connections; none if all are taken.
    pub(super) fn upgrade(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.upgraded).try_acquire_owned().ok()
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn upgraded(&self) -> usize {
        UPGRADED - self.upgraded.available_permits()
    }

    /// Runs something that has a connection, until it ends or all are cut.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let cut = self.cut.clone();
        self.tasks.spawn(async move {
            cut.run_until_cancelled(work).await;
        });
    }

    pub(super) fn stop(&self) {
        self.stop.cancel();
    }

    /// Returns when no connection is left.
    pub(super) async fn close(self) {
        self.stop();
        self.tasks.close();
        if tokio::time::timeout(CLOSE_TIMEOUT, self.tasks.wait())
            .await
            .is_err()
        {
            self.cut.cancel();
            self.tasks.wait().await;
        }
    }
}

/// Answers the requests of one client.
async fn answer(
    stream: TcpStream,
    _place: OwnedSemaphorePermit,
    router: Router,
    stop: CancellationToken,
) {
    // Small pieces go on at once: waiting for more would cost each event 40 ms. An error here shows below.
    let _ = stream.set_nodelay(true);
    let service = router.map_request(|request: http::Request<Incoming>| request.map(Body::new));
    let connection = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
        .with_upgrades();
    let mut connection = pin!(connection);
    // The second may be dropped, it only listens; the first is polled again below.
    let ended = tokio::select! {
        biased;
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::trace!("a connection to an instance broke: {error}");
    }
}
