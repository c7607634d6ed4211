//! That no connection is left when an address is closed.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;

use super::{Address, Connections, head, in_time, rest};

#[tokio::test]
async fn the_end_of_the_address_cuts_clients_that_do_not_read() {
    let address = Address::before(|mut stream| async move {
        head(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        // Ends when it is cut off.
        while stream.write_all(&vec![b'x'; 64 << 10]).await.is_ok() {}
    })
    .await;
    // One in the middle of its request, one with an answer that it does not read, one that waits with its next request.
    let mut asking = address.connect().await;
    asking.write_all(b"GET / HT").await.unwrap();
    let mut reading = address.connect().await;
    let request = b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n";
    reading.write_all(request).await.unwrap();
    head(&mut reading).await;
    let mut idle = address.connect().await;
    idle.write_all(b"GET relative HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;

    let port = address.port;
    address.close().await;
    assert_eq!(rest(&mut asking).await, "");
    // It gets what was on its way, or a reset.
    let _ = tokio::io::copy(&mut reading, &mut tokio::io::sink()).await;
    let _ = rest(&mut idle).await;
    let again = tokio::net::TcpStream::connect(("127.0.0.1", port)).await;
    assert!(again.is_err(), "nobody listens any more");
}

const ASK: &[u8] = b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n";

/// Answers one request after the other with nothing, or with an upgrade if one is asked for.
async fn answer(mut stream: tokio::net::TcpStream) {
    loop {
        let asked = head(&mut stream).await;
        let answer: &[u8] = match asked.contains("upgrade: x/1") {
            _ if asked.is_empty() => return,
            true => {
                b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x/1\r\n\r\n"
            }
            false => b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        };
        if stream.write_all(answer).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn an_upgraded_connection_has_its_place_until_it_ends() {
    let address = Address::with(Connections::at_most(1), answer).await;
    let mut first = address.connect().await;
    let upgrade =
        b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: upgrade\r\nupgrade: x/1\r\n\r\n";
    first.write_all(upgrade).await.unwrap();
    assert!(in_time(head(&mut first)).await.starts_with("HTTP/1.1 101 "));
    let mut second = address.connect().await;
    second.write_all(ASK).await.unwrap();
    let waiting = tokio::time::timeout(Duration::from_millis(200), head(&mut second)).await;
    assert!(waiting.is_err(), "both were let in");
    drop(first);
    let answered = in_time(head(&mut second)).await;
    assert!(answered.starts_with("HTTP/1.1 200 "), "{answered}");
    address.close().await;
}

#[tokio::test]
async fn a_client_that_says_nothing_gives_up_its_place() {
    let brief = Connections::at_most(1).silent_for(Duration::from_millis(100));
    let address = Address::with(brief, answer).await;
    // One that never asks, one in the middle of a head, one that has been answered and stays.
    let silent = address.connect().await;
    let mut half = address.connect().await;
    half.write_all(b"GET / HT").await.unwrap();
    let mut idle = address.connect().await;
    idle.write_all(ASK).await.unwrap();
    let mut last = address.connect().await;
    last.write_all(ASK).await.unwrap();
    let answered = in_time(head(&mut last)).await;
    assert!(answered.starts_with("HTTP/1.1 200 "), "{answered}");
    drop((silent, half, idle));
    address.close().await;
}
