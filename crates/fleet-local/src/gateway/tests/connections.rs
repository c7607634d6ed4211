//! That no connection is left when an address is closed.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;

use super::{Address, head, rest};

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
