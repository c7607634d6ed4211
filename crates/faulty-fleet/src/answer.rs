//! Answers that no service should give.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Response, StatusCode, header};
use flate2::{Compress, Compression, FlushCompress};
use futures::StreamExt as _;
use futures::stream;
use serde_json::{Value, json};

/// What the upstream service answered.
#[derive(Clone, Debug)]
pub(crate) struct Upstream {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

impl Upstream {
    pub(crate) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    pub(crate) fn into_response(self) -> Response<Body> {
        plain(self.status, self.body)
    }
}

pub(crate) fn plain(status: StatusCode, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}

pub(crate) fn refused(
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
) -> Response<Body> {
    let mut response = plain(StatusCode::from_u16(status).unwrap(), body);
    for (name, value) in headers {
        let value = HeaderValue::from_str(&value).unwrap();
        response.headers_mut().insert(name, value);
    }
    response
}

pub(crate) fn status(status: u16) -> Response<Body> {
    refused(
        status,
        Vec::new(),
        json!({"detail": "injected"}).to_string(),
    )
}

pub(crate) fn quota() -> Response<Body> {
    let detail = json!({
        "error_type": "instance_limit_exceeded",
        "message": "You have 5 running instances out of a maximum of 5.",
        "running_instances": 5,
        "instance_limit": 5,
    });
    refused(403, Vec::new(), json!({ "detail": detail }).to_string())
}

pub(crate) fn duplicate(instance: &str) -> Response<Body> {
    let detail = json!({
        "error": "duplicate_request_id",
        "message": "Request with this ID has already been processed.",
        "instance_id": instance,
    });
    refused(409, Vec::new(), json!({ "detail": detail }).to_string())
}

/// One byte a second.
pub(crate) fn drip(answer: Upstream) -> Response<Body> {
    let bytes: Vec<u8> = answer.body.to_vec();
    let drops = stream::iter(bytes).then(|byte| async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok::<_, Infallible>(Bytes::from(vec![byte]))
    });
    plain(answer.status, Body::from_stream(drops))
}

/// Spaces without end: JSON allows them, so nothing but a limit stops the reader.
pub(crate) fn endless() -> Response<Body> {
    let piece = Bytes::from(vec![b' '; 64 * 1024]);
    let pieces = stream::repeat_with(move || Ok::<_, Infallible>(piece.clone()));
    plain(StatusCode::OK, Body::from_stream(pieces))
}

/// A gigabyte of spaces in about a megabyte.
pub(crate) fn gzip_bomb() -> Response<Body> {
    const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    const MEBIBYTES: usize = 1024;
    let mut deflate = Compress::new(Compression::best(), false);
    let mut block = Vec::with_capacity(64 * 1024);
    // A full flush refers to nothing before it, so the same block may follow itself. Whoever reads to the end finds no checksum there.
    let made = deflate.compress_vec(&vec![b' '; 1 << 20], &mut block, FlushCompress::Full);
    made.expect("spaces can be compressed");
    let mut body = HEADER.to_vec();
    for _ in 0..MEBIBYTES {
        body.extend_from_slice(&block);
    }
    let mut response = plain(StatusCode::OK, body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    response
}

pub(crate) fn half_json(answer: &Upstream) -> Response<Body> {
    plain(answer.status, answer.body.slice(..answer.body.len() / 2))
}

/// Promises all of the answer and closes after half of it.
pub(crate) fn broken_off(answer: &Upstream) -> Response<Body> {
    let half = answer.body.slice(..answer.body.len() / 2);
    let pieces = stream::iter([Ok(half), Err(std::io::Error::other("broken off"))]);
    let mut response = plain(answer.status, Body::from_stream(pieces));
    let length = HeaderValue::from(answer.body.len());
    response
        .headers_mut()
        .insert(header::CONTENT_LENGTH, length);
    response
}

/// The answer of a service whose clock is off.
pub(crate) fn skewed(answer: Upstream, seconds: i64) -> Response<Body> {
    let mut response = match answer.json() {
        Some(mut value) => {
            let deadline = value["deadline_timestamp"].as_f64();
            if let Some(deadline) = deadline {
                value["deadline_timestamp"] = json!(deadline + seconds as f64);
            }
            plain(answer.status, value.to_string())
        }
        None => answer.into_response(),
    };
    let date = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
    let date = jiff::fmt::rfc2822::to_string(&date.to_zoned(jiff::tz::TimeZone::UTC)).unwrap();
    let date = HeaderValue::from_str(&date).unwrap();
    response.headers_mut().insert(header::DATE, date);
    response
}

/// The record of an instance with another status.
pub(crate) fn with_status(record: &Value, status: &str) -> Response<Body> {
    let mut record = record.clone();
    record["status"] = json!(status);
    plain(StatusCode::OK, record.to_string())
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[tokio::test]
    async fn a_gzip_bomb_grows_a_thousandfold() {
        let body = gzip_bomb().into_body();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        assert!(bytes.len() < 8 << 20, "{}", bytes.len());
        let mut decoder = flate2::read::GzDecoder::new(&bytes[..]);
        let mut piece = vec![0; 64 << 20];
        decoder.read_exact(&mut piece).unwrap();
        assert!(piece.iter().all(|byte| *byte == b' '));
    }
}
