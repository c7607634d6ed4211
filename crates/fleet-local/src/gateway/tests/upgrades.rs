//! Web sockets and other protocols through the gateway.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use http::HeaderMap;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::{Address, head, in_time, rest};
use crate::gateway::UPGRADED;

const ASK: &str =
    "GET /live HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: upgrade\r\nupgrade: ours/1\r\n";
const AGREED: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: ours/1\r\n";

/// Before an app that agrees to every upgrade and then says what it hears.
async fn echoing() -> Address {
    Address::before(|mut stream| async move {
        head(&mut stream).await;
        let _ = stream.write_all(AGREED).await;
        let _ = stream.write_all(b"\r\n").await;
        let (mut read, mut write) = stream.split();
        let _ = tokio::io::copy(&mut read, &mut write).await;
    })
    .await
}

/// A connection that is upgraded.
async fn upgraded(address: &Address) -> TcpStream {
    let mut stream = address.connect().await;
    let ask = format!("{ASK}\r\n");
    stream.write_all(ask.as_bytes()).await.unwrap();
    let answer = in_time(head(&mut stream)).await;
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    stream
}

async fn hears(stream: &mut TcpStream, expected: &str) {
    let mut heard = vec![0; expected.len()];
    in_time(stream.read_exact(&mut heard)).await.unwrap();
    assert_eq!(String::from_utf8(heard).unwrap(), expected);
}

#[tokio::test]
#[expect(
    clippy::result_large_err,
    reason = "the type of the library's callback"
)]
async fn a_websocket_works_both_ways_to_its_close() {
    let (seen, mut requests) = mpsc::unbounded_channel::<(String, HeaderMap)>();
    let address = Address::before(move |stream| {
        let seen = seen.clone();
        async move {
            let shake = move |request: &Request, mut answer: Response| {
                let headers = request.headers().clone();
                let _ = seen.send((request.uri().to_string(), headers));
                let chosen = ("sec-websocket-protocol", "chat.v2".parse().unwrap());
                answer.headers_mut().insert(chosen.0, chosen.1);
                Ok::<_, ErrorResponse>(answer)
            };
            let mut socket = tokio_tungstenite::accept_hdr_async(stream, shake)
                .await
                .unwrap();
            while let Some(Ok(message)) = socket.next().await {
                // Pings are answered by the library.
                if message.is_text() || message.is_binary() {
                    socket.send(message).await.unwrap();
                }
            }
        }
    })
    .await;

    let url = format!("ws://127.0.0.1:{}/mail/live%2Fx?room=7", address.port);
    let mut request = url.into_client_request().unwrap();
    let origin = format!("http://127.0.0.1:{}", address.port);
    let headers = request.headers_mut();
    headers.insert("origin", origin.parse().unwrap());
    headers.insert("cookie", "session=1".parse().unwrap());
    headers.insert(
        "sec-websocket-protocol",
        "chat.v1, chat.v2".parse().unwrap(),
    );
    let stream = address.connect().await;
    let (mut socket, answer) = in_time(tokio_tungstenite::client_async(request, stream))
        .await
        .unwrap();
    assert_eq!(answer.headers()["sec-websocket-protocol"], "chat.v2");

    let (path, headers) = requests.recv().await.unwrap();
    assert_eq!(path, "/live%2Fx?room=7");
    // The same as of every request: a page of this address is of the app's own origin.
    let authority = format!("127.0.0.1:{}", address.port);
    for (name, value) in [
        ("host", authority.as_str()),
        ("origin", origin.as_str()),
        ("x-forwarded-host", authority.as_str()),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-prefix", "/mail"),
        ("cookie", "session=1"),
        ("upgrade", "websocket"),
        ("connection", "upgrade"),
    ] {
        assert_eq!(headers[name], value, "{name}");
    }

    let large = Message::binary(vec![7; 1 << 20]);
    for message in [Message::text("hello"), large, Message::text("")] {
        socket.send(message.clone()).await.unwrap();
        assert!(in_time(socket.next()).await.unwrap().unwrap() == message);
    }
    socket
        .send(Message::Ping("are you there".into()))
        .await
        .unwrap();
    let pong = in_time(socket.next()).await.unwrap().unwrap();
    assert_eq!(pong, Message::Pong("are you there".into()));
    let goodbye = CloseFrame {
        code: 4001.into(),
        reason: "enough".into(),
    };
    socket.close(Some(goodbye.clone())).await.unwrap();
    let last = in_time(socket.next()).await.unwrap().unwrap();
    assert_eq!(last, Message::Close(Some(goodbye)));
    assert!(in_time(socket.next()).await.is_none());
    address.close().await;
}

#[tokio::test]
async fn a_refusal_of_the_app_passes_as_it_is() {
    let refusal = "HTTP/1.1 426 Upgrade Required\r\nsec-websocket-version: 13\r\nx-app: yes\r\ncontent-length: 12\r\n\r\nanother one!";
    let address = Address::answering(refusal).await;
    let url = format!("ws://127.0.0.1:{}/live", address.port);
    let stream = address.connect().await;
    let refused = in_time(tokio_tungstenite::client_async(url, stream)).await;
    let Err(Error::Http(answer)) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(answer.status(), 426);
    assert_eq!(answer.headers()["sec-websocket-version"], "13");
    assert_eq!(answer.headers()["x-app"], "yes");
    assert_eq!(answer.body().as_deref(), Some(b"another one!".as_slice()));
}

#[tokio::test]
async fn any_other_protocol_passes_with_what_was_said_early() {
    let address = Address::before(|mut stream| async move {
        let asked = head(&mut stream).await;
        assert!(asked.contains("upgrade: ours/1\r\n"), "{asked}");
        // Its first words come with its consent.
        let mut answer = AGREED.to_vec();
        answer.extend_from_slice(b"x-app: yes\r\n\r\nwelcome");
        stream.write_all(&answer).await.unwrap();
        let heard = rest(&mut stream).await;
        let answer = format!("you said {heard}");
        stream.write_all(answer.as_bytes()).await.unwrap();
    })
    .await;
    let mut stream = address.connect().await;
    // So do the client's, with its request.
    let asked = format!("{ASK}\r\nearly ");
    stream.write_all(asked.as_bytes()).await.unwrap();
    let answer = in_time(head(&mut stream)).await.to_lowercase();
    for part in [
        "101",
        "connection: upgrade",
        "upgrade: ours/1",
        "x-app: yes",
    ] {
        assert!(answer.contains(part), "{part}: {answer}");
    }
    hears(&mut stream, "welcome").await;
    stream.write_all(b"and late").await.unwrap();
    // One direction ends, the other goes on.
    stream.shutdown().await.unwrap();
    assert_eq!(rest(&mut stream).await, "you said early and late");
    address.close().await;
}

#[tokio::test]
async fn a_switch_that_nobody_asked_for_is_an_error() {
    let address = Address::answering(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: ours/1\r\n\r\n",
    )
    .await;
    // HTTP/2 within the connection would pass the gateway unseen, so it is not asked for either.
    for asked in [
        "",
        "connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AA\r\n",
    ] {
        let answer = address.ask("GET / HTTP/1.1", &format!("{asked}\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
        assert!(answer.contains("asked for no upgrade"), "{answer}");
    }
}

#[tokio::test]
async fn a_slow_reader_slows_its_writer() {
    const ALL: usize = 64 << 20;
    const CHUNK: usize = 64 << 10;
    let written = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&written);
    let address = Address::before(move |mut stream| {
        let count = Arc::clone(&count);
        async move {
            head(&mut stream).await;
            stream.write_all(AGREED).await.unwrap();
            stream.write_all(b"\r\n").await.unwrap();
            while count.load(Ordering::Relaxed) < ALL {
                stream.write_all(&vec![7; CHUNK]).await.unwrap();
                count.fetch_add(CHUNK, Ordering::Relaxed);
            }
        }
    })
    .await;
    let mut stream = upgraded(&address).await;
    // The system has buffers for some megabytes; beyond them the app waits.
    let mut before = usize::MAX;
    while before != written.load(Ordering::Relaxed) {
        before = written.load(Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    assert!(
        before < ALL / 2,
        "{before} bytes were taken that nobody read"
    );
    let mut buffer = vec![0; CHUNK];
    let mut read = 0;
    loop {
        match in_time(stream.read(&mut buffer)).await.unwrap() {
            0 => break,
            length => read += length,
        }
    }
    assert_eq!(read, ALL);
}

#[tokio::test]
async fn the_end_of_the_address_ends_open_upgrades() {
    let (ended, mut ends) = mpsc::unbounded_channel();
    let address = Address::before(move |mut stream| {
        let ended = ended.clone();
        async move {
            head(&mut stream).await;
            stream.write_all(AGREED).await.unwrap();
            stream.write_all(b"\r\n").await.unwrap();
            let _ = stream.read(&mut [0; 1]).await;
            ended.send(()).unwrap();
        }
    })
    .await;
    let mut first = upgraded(&address).await;
    let mut second = upgraded(&address).await;
    address.close().await;
    for stream in [&mut first, &mut second] {
        assert_eq!(rest(stream).await, "");
        in_time(ends.recv()).await.unwrap();
    }
}

#[tokio::test]
async fn each_side_s_end_is_the_other_s() {
    let address = echoing().await;
    let mut stream = upgraded(&address).await;
    stream.write_all(b"hello").await.unwrap();
    hears(&mut stream, "hello").await;
    // The app hears of it, ends as well, and the place is free again.
    drop(stream);
    in_time(async {
        while address.upgraded.available_permits() < UPGRADED {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let address = Address::before(|mut stream| async move {
        head(&mut stream).await;
        stream.write_all(AGREED).await.unwrap();
        stream.write_all(b"\r\nbye").await.unwrap();
    })
    .await;
    let mut stream = upgraded(&address).await;
    assert_eq!(rest(&mut stream).await, "bye");
}

#[tokio::test]
async fn more_upgrades_than_there_is_room_for_are_refused_and_requests_are_not() {
    let address = echoing().await;
    let all_but_one = u32::try_from(UPGRADED - 1).unwrap();
    let others = address.upgraded.try_acquire_many(all_but_one).unwrap();
    let mut last = upgraded(&address).await;
    let refused = address
        .exchange(&format!("{ASK}connection: close\r\n\r\n"))
        .await;
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    assert!(refused.contains("255 upgraded connections"), "{refused}");
    last.write_all(b"still here").await.unwrap();
    hears(&mut last, "still here").await;
    drop(others);
    upgraded(&address).await;
}
