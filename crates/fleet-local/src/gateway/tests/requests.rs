//! Requests as no friendly client sends them, and answers as no friendly app gives them.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{Notify, mpsc};

use super::{Address, head, in_time, rest};

#[tokio::test]
async fn a_path_reaches_the_app_byte_for_byte() {
    let address = Address::mirroring().await;
    for path in [
        "/a/../b",
        "/a/%2e%2E/b",
        "/%2F%00//x/",
        "/a%20b//c?x=1&y=%2F",
        "/?",
        "/{id}|\"'",
        "/a;b=c/..;/d",
    ] {
        let seen = address.ask(&format!("GET {path} HTTP/1.1"), "\r\n").await;
        assert!(
            seen.contains(&format!("\r\n\r\nGET {path} HTTP/1.1\r\n")),
            "{path}: {seen}"
        );
    }
}

#[tokio::test]
async fn targets_that_are_no_path_are_refused() {
    let address = Address::mirroring().await;
    for (first, said) in [
        ("CONNECT 127.0.0.1:22 HTTP/1.1", "no proxy"),
        ("OPTIONS * HTTP/1.1", "begins with a slash"),
    ] {
        let answer = address.ask(first, "\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{first}: {answer}");
        assert!(answer.contains(said), "{first}: {answer}");
    }
}

#[tokio::test]
async fn the_absolute_form_is_the_same_request() {
    let address = Address::mirroring().await;
    let port = address.port;
    let seen = address
        .exchange(&format!("GET http://localhost:{port}/x?y HTTP/1.1\r\nhost: 127.0.0.1:1\r\nconnection: close\r\n\r\n"))
        .await;
    assert!(seen.contains("\r\n\r\nGET /x?y HTTP/1.1\r\n"), "{seen}");
    assert!(
        seen.contains(&format!("\nhost: localhost:{port}\r\n")),
        "{seen}"
    );
    for request in [
        "GET http://evil.example/x HTTP/1.1\r\nhost: 127.0.0.1:1\r\nconnection: close\r\n\r\n",
        "GET /x HTTP/1.1\r\nhost: 127.0.0.1:1\r\nhost: evil.example\r\nconnection: close\r\n\r\n",
        "GET /x HTTP/1.1\r\nhost: 127.0.0.1:1@evil.example\r\nconnection: close\r\n\r\n",
        "GET /x HTTP/1.1\r\nhost: 127.0.0.1:1, evil.example\r\nconnection: close\r\n\r\n",
        "GET /x HTTP/1.1\r\nconnection: close\r\n\r\n",
    ] {
        let answer = address.exchange(request).await;
        assert!(answer.starts_with("HTTP/1.1 403 "), "{request}: {answer}");
    }
}

#[tokio::test]
async fn one_request_never_becomes_two() {
    let address = Address::mirroring().await;
    // The encoding counts and the length is gone; what follows is a request of its own, to the gateway.
    let both = "content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
    let seen = address.ask("POST /x HTTP/1.1", both).await.to_lowercase();
    let (_, seen) = seen.split_once("\r\n\r\n").unwrap();
    assert!(seen.contains("transfer-encoding: chunked"), "{seen}");
    assert!(!seen.contains("content-length"), "{seen}");
    for shape in [
        "content-length: 4\r\ncontent-length: 5\r\n\r\nabcd",
        "content-length: +4\r\n\r\nabcd",
        "content-length: 4, 5\r\n\r\nabcd",
        "transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
        "transfer-encoding : chunked\r\n\r\n0\r\n\r\n",
        "x: y\r\n folded: z\r\n\r\n",
    ] {
        let answer = address.ask("POST /x HTTP/1.1", shape).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{shape}: {answer}");
    }
}

#[tokio::test]
async fn a_head_that_is_too_long_is_refused() {
    let address = Address::mirroring().await;
    let many = "x: 1\r\n".repeat(200);
    let answer = address.ask("GET /x HTTP/1.1", &format!("{many}\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let mut stream = address.connect().await;
    let long = format!("GET /x HTTP/1.1\r\nx: {}", "y".repeat(1 << 20));
    // It may be cut in the middle.
    let _ = stream.write_all(long.as_bytes()).await;
    let mut answer = [0; 13];
    if in_time(stream.read_exact(&mut answer)).await.is_ok() {
        assert_eq!(&answer, b"HTTP/1.1 431 ");
    }
}

#[tokio::test]
async fn an_old_client_gets_an_answer_that_it_understands() {
    let address = Address::answering(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    )
    .await;
    let answer = address
        .exchange("GET / HTTP/1.0\r\nhost: 127.0.0.1\r\n\r\n")
        .await;
    assert!(
        !answer.to_lowercase().contains("transfer-encoding"),
        "{answer}"
    );
    assert!(answer.ends_with("\r\n\r\nhello"), "{answer}");
}

#[tokio::test]
async fn a_length_of_the_app_that_is_wrong_breaks_no_answer() {
    let address = Address::answering(
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    )
    .await;
    let answer = address.ask("GET / HTTP/1.1", "\r\n").await;
    assert!(answer.ends_with("5\r\nhello\r\n0\r\n\r\n"), "{answer}");
    assert!(!answer.contains("content-length"), "{answer}");
}

#[tokio::test]
async fn an_answer_without_a_body_keeps_its_length() {
    let address = Address::answering("HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n").await;
    let answer = address.ask("HEAD / HTTP/1.1", "\r\n").await;
    assert!(answer.contains("content-length: 12\r\n"), "{answer}");
    let address = Address::answering("HTTP/1.1 304 Not Modified\r\netag: \"a\"\r\n\r\n").await;
    let answer = address.ask("GET / HTTP/1.1", "\r\n").await;
    assert!(
        answer.starts_with("HTTP/1.1 304 ") && answer.ends_with("\r\n\r\n"),
        "{answer}"
    );
}

#[tokio::test]
async fn an_app_that_dies_in_its_answer_leaves_it_visibly_short() {
    for answer in [
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhello",
    ] {
        let address = Address::answering(answer).await;
        let got = address.ask("GET / HTTP/1.1", "\r\n").await;
        assert!(got.contains("hello"), "{got}");
        // Neither has the end that would make it whole.
        assert!(!got.ends_with("0\r\n\r\n"), "{got}");
        assert_eq!(
            got.contains("content-length: 50"),
            answer.contains("50"),
            "{got}"
        );
    }
    for nonsense in ["", "SSH-2.0-OpenSSH\r\n", "HTTP/1.1 20"] {
        let address = Address::answering(nonsense).await;
        let got = address.ask("GET / HTTP/1.1", "\r\n").await;
        assert!(got.starts_with("HTTP/1.1 502 "), "{got}");
        assert!(
            got.contains("The app \\\"web\\\" of this instance did not answer"),
            "{got}"
        );
    }
}

#[tokio::test]
async fn a_client_that_leaves_is_noticed_by_the_app() {
    let (ended, mut ends) = mpsc::unbounded_channel();
    let address = Address::before(move |mut stream| {
        let ended = ended.clone();
        async move {
            head(&mut stream).await;
            // Nothing is answered; it only waits for the end.
            let _ = stream.read(&mut [0; 1]).await;
            ended.send(()).unwrap();
        }
    })
    .await;
    let mut stream = address.connect().await;
    let request = b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n";
    stream.write_all(request).await.unwrap();
    assert!(
        tokio::time::timeout(Duration::from_millis(100), ends.recv())
            .await
            .is_err()
    );
    drop(stream);
    in_time(ends.recv()).await.unwrap();
}

#[tokio::test]
async fn a_body_is_asked_for_before_it_comes_and_passed_on_as_it_comes() {
    let (piece, mut pieces) = mpsc::unbounded_channel();
    let address = Address::before(move |mut stream| {
        let piece = piece.clone();
        async move {
            head(&mut stream).await;
            for _ in 0..2 {
                let mut part = [0; 4];
                stream.read_exact(&mut part).await.unwrap();
                piece.send(String::from_utf8(part.into()).unwrap()).unwrap();
            }
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
            stream.write_all(answer).await.unwrap();
        }
    })
    .await;
    let mut stream = address.connect().await;
    let request = b"PUT / HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 8\r\nexpect: 100-continue\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    assert_eq!(
        in_time(head(&mut stream)).await,
        "HTTP/1.1 100 Continue\r\n\r\n"
    );
    for part in ["one!", "two!"] {
        stream.write_all(part.as_bytes()).await.unwrap();
        assert_eq!(in_time(pieces.recv()).await.unwrap(), part);
    }
    assert!(rest(&mut stream).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn an_answer_before_the_end_of_the_body_is_heard() {
    let address = Address::before(|mut stream| async move {
        head(&mut stream).await;
        let answer = b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 8\r\nconnection: close\r\n\r\ntoo much";
        stream.write_all(answer).await.unwrap();
        stream.shutdown().await.unwrap();
        // As servers do, so that the answer is not lost with what nobody reads.
        let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    })
    .await;
    let mut stream = address.connect().await;
    let request = b"POST / HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 100000000\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let (mut read, mut write) = stream.split();
    let writing = async {
        while write.write_all(&[7; 1 << 14]).await.is_ok() {}
        std::future::pending::<()>().await;
    };
    let mut answer = [0; 13];
    // The writer may be dropped: it only wants to get rid of its body.
    tokio::select! {
        heard = in_time(read.read_exact(&mut answer)) => { heard.unwrap(); }
        () = writing => {}
    }
    assert_eq!(&answer, b"HTTP/1.1 413 ");
    drop(address);
}

#[tokio::test]
async fn an_event_is_passed_on_before_the_next_one_exists() {
    let next = Arc::new(Notify::new());
    let told = Arc::clone(&next);
    let address = Address::before(move |mut stream| {
        let told = Arc::clone(&told);
        async move {
            head(&mut stream).await;
            let begin = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
            stream.write_all(begin).await.unwrap();
            for _ in 0..3 {
                stream.write_all(b"data: x\n\n").await.unwrap();
                told.notified().await;
            }
        }
    })
    .await;
    let mut stream = address.connect().await;
    let request = b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n";
    stream.write_all(request).await.unwrap();
    in_time(head(&mut stream)).await;
    for _ in 0..3 {
        let mut event = [0; 14];
        in_time(stream.read_exact(&mut event)).await.unwrap();
        assert_eq!(&event, b"9\r\ndata: x\n\n\r\n");
        next.notify_one();
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_not_made_whole() {
    let (seen, mut bodies) = mpsc::unbounded_channel();
    let address = Address::before(move |mut stream| {
        let seen = seen.clone();
        async move {
            head(&mut stream).await;
            seen.send(rest(&mut stream).await).unwrap();
        }
    })
    .await;
    for (framing, sent) in [
        ("content-length: 8", "half"),
        ("transfer-encoding: chunked", "4\r\nhalf\r\n"),
    ] {
        let mut stream = address.connect().await;
        let request = format!("POST / HTTP/1.1\r\nhost: 127.0.0.1\r\n{framing}\r\n\r\n{sent}");
        stream.write_all(request.as_bytes()).await.unwrap();
        drop(stream);
        let body = in_time(bodies.recv()).await.unwrap();
        assert!(sent.starts_with(&body), "{framing}: {body}");
    }
}
