//! Pictures and files for the judge, from where they are.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::types::Attachment;

/// What the ends of file names say of their content, as the official client reads them.
const MEDIA_TYPES: [(&str, &str); 25] = [
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
    ("svg", "image/svg+xml"),
    ("pdf", "application/pdf"),
    ("txt", "text/plain"),
    ("md", "text/markdown"),
    ("html", "text/html"),
    ("htm", "text/html"),
    ("csv", "text/csv"),
    ("tsv", "text/tab-separated-values"),
    ("json", "application/json"),
    ("xml", "application/xml"),
    ("yaml", "application/x-yaml"),
    ("yml", "application/x-yaml"),
    ("step", "application/step"),
    ("stp", "application/step"),
    ("stl", "model/stl"),
    ("iges", "model/iges"),
    ("igs", "model/iges"),
    ("obj", "model/obj"),
    ("zip", "application/zip"),
    ("gz", "application/gzip"),
];

impl Attachment {
    /// In S3, as `s3://bucket/key`; the service fetches it.
    pub fn s3(url: impl Into<String>) -> Self {
        Self {
            source: "s3".to_owned(),
            url: Some(url.into()),
            ..Self::default()
        }
    }

    /// At a web address; the service fetches it. Pictures only.
    pub fn url(url: impl Into<String>) -> Self {
        Self {
            source: "url".to_owned(),
            url: Some(url.into()),
            ..Self::default()
        }
    }

    /// These bytes, under a name whose end tells their kind.
    pub fn bytes(filename: impl Into<String>, bytes: &[u8]) -> Self {
        let filename = filename.into();
        Self {
            source: "base64".to_owned(),
            data: Some(STANDARD.encode(bytes)),
            media_type: Some(media_type(&filename).to_owned()),
            filename: Some(filename),
            ..Self::default()
        }
    }

    /// A file of the instance, by name; the service collects it.
    pub fn collect(selector: impl Into<String>) -> Self {
        Self {
            source: "collect".to_owned(),
            selector: Some(selector.into()),
            ..Self::default()
        }
    }

    /// Of this kind, where the name does not tell it.
    pub fn media_type(mut self, media_type: impl Into<String>) -> Self {
        self.media_type = Some(media_type.into());
        self
    }
}

fn media_type(filename: &str) -> &'static str {
    let end = filename.rsplit_once('.').map_or("", |(_, end)| end);
    MEDIA_TYPES
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(end))
        .map_or("application/octet-stream", |(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_of_bytes_is_told_by_their_name() {
        let kind = |name: &str| Attachment::bytes(name, b"x").media_type.unwrap();
        assert_eq!(kind("plot.PNG"), "image/png");
        assert_eq!(kind("a.b.stl"), "model/stl");
        assert_eq!(kind("png"), "application/octet-stream");
        assert_eq!(
            Attachment::bytes("a", b"x")
                .media_type("text/plain")
                .media_type
                .as_deref(),
            Some("text/plain")
        );
    }
}
