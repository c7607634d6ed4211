//! Connections that become something else than HTTP: web sockets, and whatever else a client and an app agree on.
//!
//! The gateway reads nothing of what they say. It passes the bytes on, each way at the pace of its reader, until one
//! of the two or the instance has ended.

use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use super::headers::elements;
use crate::connections::{Connections, Place};

/// Of bytes under way, for each direction of a connection.
const BUFFER: usize = 16 << 10;

/// A connection of which one side has said its last is for what the other one still has to say. Without a byte for
/// this long it is one that was left. One that both sides keep open may be silent for as long as it likes: so are
/// pages that wait for news.
const HALF_OPEN: Duration = Duration::from_mins(1);

/// A request to go on with another protocol.
#[derive(Debug)]
pub(super) struct Upgrade {
    /// What the client named, as it is passed to the app.
    pub(super) protocols: HeaderValue,
    client: OnUpgrade,
    /// The client's, which an upgraded connection has as much as any other.
    place: Option<Place>,
}

impl Upgrade {
    /// Takes it out of a request that asks for one.
    pub(super) fn take(request: &mut axum::extract::Request) -> Option<Self> {
        let protocols = asked(request.headers())?;
        // Only there for HTTP/1.1, which alone has upgrades.
        let client = request.extensions_mut().remove::<OnUpgrade>()?;
        Some(Self {
            protocols,
            client,
            place: request.extensions().get().cloned(),
        })
    }

    /// Passes on that the app agreed, and then what the two say.
    pub(super) fn switch(
        self,
        mut answer: http::Response<Incoming>,
        headers: HeaderMap,
        connections: &Connections,
        upgraded: OwnedSemaphorePermit,
    ) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        *response.headers_mut() = headers;
        let agreed = answer.headers().get(header::UPGRADE);
        let agreed = agreed.unwrap_or(&self.protocols).clone();
        mark(response.headers_mut(), agreed);
        let app = hyper::upgrade::on(&mut answer);
        connections.spawn(async move {
            let _places = (self.place, upgraded);
            // An error means that one of them has gone before it began.
            if let Ok((client, app)) = tokio::try_join!(self.client, app) {
                relay(TokioIo::new(client), TokioIo::new(app)).await;
            }
        });
        response
    }
}

/// Says of a message that it is about an upgrade.
pub(super) fn mark(headers: &mut HeaderMap, protocols: HeaderValue) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, protocols);
}

/// The protocols that a request wants to go on with.
fn asked(headers: &HeaderMap) -> Option<HeaderValue> {
    let named =
        elements(headers, header::CONNECTION).any(|name| name.eq_ignore_ascii_case("upgrade"));
    // HTTP/2 is HTTP again: requests in it would pass the gateway unseen. It may always be ignored (RFC 9113 §3.1).
    let protocols: Vec<&str> = elements(headers, header::UPGRADE)
        .filter(|protocol| !protocol.is_empty() && !protocol.eq_ignore_ascii_case("h2c"))
        .collect();
    if !named || protocols.is_empty() {
        return None;
    }
    protocols.join(", ").parse().ok()
}

/// Passes bytes both ways until both directions have ended, or one is broken.
async fn relay<C, A>(client: C, app: A)
where
    C: AsyncRead + AsyncWrite,
    A: AsyncRead + AsyncWrite,
{
    let (from_client, to_client) = tokio::io::split(client);
    let (from_app, to_app) = tokio::io::split(app);
    let (sent, answered) = (CancellationToken::new(), CancellationToken::new());
    let done = tokio::try_join!(
        pass(from_client, to_app, &sent, &answered),
        pass(from_app, to_client, &answered, &sent),
    );
    if let Err(error) = done {
        tracing::trace!("an upgraded connection to an instance ended: {error}");
    }
}

/// Passes one direction on to its end, which it tells as `ended`; `other` is the end of the other one.
async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    ended: &CancellationToken,
    other: &CancellationToken,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let step = async {
            let length = from.read(&mut buffer).await?;
            // What cannot be written is not read: a slow reader slows its writer.
            to.write_all(&buffer[..length]).await?;
            to.flush().await?;
            Ok::<_, io::Error>(length)
        };
        let left = async {
            other.cancelled().await;
            tokio::time::sleep(HALF_OPEN).await;
        };
        // A step that is dropped in the middle loses bytes, with the connection that is given up.
        let length = tokio::select! {
            biased;
            length = step => length?,
            () = left => return Err(io::ErrorKind::TimedOut.into()),
        };
        if length == 0 {
            ended.cancel();
            return to.shutdown().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upgrade_is_asked_for_by_two_headers() {
        let check = |connection: &str, upgrade: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONNECTION, connection.parse().unwrap());
            headers.insert(header::UPGRADE, upgrade.parse().unwrap());
            asked(&headers).map(|protocols| protocols.to_str().unwrap().to_owned())
        };
        assert_eq!(
            check("keep-alive, Upgrade", "websocket").unwrap(),
            "websocket"
        );
        assert_eq!(check("upgrade", "h2c, a/1, b").unwrap(), "a/1, b");
        for (connection, upgrade) in [
            ("keep-alive", "websocket"),
            ("Upgrade, HTTP2-Settings", "h2c"),
            ("upgrade", ""),
        ] {
            assert_eq!(check(connection, upgrade), None, "{connection} {upgrade}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_second_half_may_take_its_time_but_not_forever() {
        let (mut client, client_end) = tokio::io::duplex(64);
        let (mut app, app_end) = tokio::io::duplex(64);
        let relayed = tokio::spawn(relay(client_end, app_end));
        // Silence of both is no reason to end.
        tokio::time::sleep(HALF_OPEN * 100).await;
        client.write_all(b"last words").await.unwrap();
        client.shutdown().await.unwrap();
        let mut heard = String::new();
        app.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "last words");
        for _ in 0..3 {
            tokio::time::sleep(HALF_OPEN / 2).await;
            app.write_all(b"more").await.unwrap();
            client.read_exact(&mut [0; 4]).await.unwrap();
        }
        assert!(!relayed.is_finished());
        let begun = tokio::time::Instant::now();
        tokio::time::timeout(HALF_OPEN * 2, relayed)
            .await
            .expect("it waits for an app that says nothing")
            .unwrap();
        assert_eq!(begun.elapsed(), HALF_OPEN);
        assert!(app.write_all(b"nobody").await.is_err(), "it was cut");
    }
}
