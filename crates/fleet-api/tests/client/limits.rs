//! Answers that are too large, too slow, or never end.

use std::io::{Cursor, Read, Write};
use std::time::{Duration, Instant};

use axum::http::HeaderValue;
use fleet_api::{CallLimits, ErrorKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use zip::write::SimpleFileOptions;

use crate::support::{Service, account, builder, ok, raw};

/// `size` zero bytes, gzipped. The compressed stream is taken out of a zip.
fn bomb(size: usize) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("zeros", SimpleFileOptions::default())
        .unwrap();
    zip.write_all(&vec![0; size]).unwrap();
    let mut zip = zip.finish_into_readable().unwrap();
    let mut entry = zip.by_index_raw(0).unwrap();
    let crc = entry.crc32();
    let mut gzip = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    entry.read_to_end(&mut gzip).unwrap();
    gzip.extend(crc.to_le_bytes());
    gzip.extend(u32::try_from(size).unwrap().to_le_bytes());
    gzip
}

#[tokio::test]
async fn s11_an_answer_is_cut_by_its_size_after_decompression() {
    let bytes = bomb(8 * 1024 * 1024);
    assert!(bytes.len() < 100_000, "{}", bytes.len());
    let service = Service::start(move |_| {
        let mut response = raw(200, bytes.clone());
        response
            .headers_mut()
            .insert("content-encoding", HeaderValue::from_static("gzip"));
        response
    })
    .await;
    let client = builder(&service.url).max_body(256 * 1024).build().unwrap();
    let error = client.account().await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::BodyTooLarge { limit: 262_144 }),
        "{error:?}"
    );
    assert_eq!(service.seen().len(), 1);
    assert!(service.seen()[0].header("accept-encoding").contains("gzip"));
}

#[tokio::test]
async fn an_answer_of_exactly_the_limit_is_read() {
    let text = account().to_string();
    let size = text.len();
    let service = Service::start(move |_| raw(200, text.clone())).await;
    builder(&service.url)
        .max_body(size)
        .build()
        .unwrap()
        .account()
        .await
        .unwrap();
    let error = builder(&service.url)
        .max_body(size - 1)
        .build()
        .unwrap()
        .account()
        .await
        .unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::BodyTooLarge { .. }));
}

#[tokio::test]
async fn a_large_error_page_still_tells_its_status() {
    let service = Service::start(|_| raw(404, "x".repeat(4 * 1024 * 1024))).await;
    let client = builder(&service.url).max_body(1024 * 1024).build().unwrap();
    let error = client.account().await.unwrap_err();
    assert!(error.is_gone());
    assert!(error.to_string().len() < 400 && error.to_line().len() < 400);
    let ErrorKind::Api { excerpt, .. } = error.kind() else {
        panic!("{error:?}")
    };
    assert_eq!(excerpt.len(), 2048);
}

/// A service that sends the head of an answer and then a byte per `pause`, without end.
async fn dripping(pause: Duration) -> (String, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut request = [0; 4096];
                let _ = socket.read(&mut request).await;
                let _ = socket
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
                    .await;
                while socket.write_all(b" ").await.is_ok() {
                    tokio::time::sleep(pause).await;
                }
            });
        }
    });
    (url, server)
}

#[tokio::test]
async fn an_answer_that_stalls_is_given_up() {
    let (url, server) = dripping(Duration::from_mins(1)).await;
    let client = builder(&url)
        .build()
        .unwrap()
        .limited(CallLimits::attempts(2));
    let start = Instant::now();
    let error = client.close_instance(&"a1".into()).await.unwrap_err();
    // Two attempts of 300 ms without a byte each.
    assert!(
        start.elapsed() < Duration::from_secs(3),
        "{:?}",
        start.elapsed()
    );
    assert!(
        error.to_string().contains("no rest of the answer within"),
        "{error}"
    );
    assert!(error.is_ambiguous() && error.is_retryable());
    assert_eq!((error.attempts(), error.status()), (2, Some(200)));
    server.abort();
}

#[tokio::test]
async fn an_answer_that_drips_for_ever_ends_at_the_deadline() {
    let (url, server) = dripping(Duration::from_millis(20)).await;
    let limits = CallLimits::deadline(Duration::from_millis(600));
    let start = Instant::now();
    let error = builder(&url)
        .build()
        .unwrap()
        .limited(limits)
        .account()
        .await
        .unwrap_err();
    let took = start.elapsed();
    assert!(
        took >= Duration::from_millis(590) && took < Duration::from_secs(3),
        "{took:?}"
    );
    assert!(matches!(error.kind(), ErrorKind::Timeout { .. }));
    server.abort();
}

#[tokio::test]
async fn compressed_answers_are_read() {
    let service = Service::start(|_| ok(&account())).await;
    assert_eq!(service.client().account().await.unwrap().instance_limit, 5);
}
