//! Packs verifier source for the verifier service, so that equal source gives equal bytes.

use std::io::{Cursor, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// Name of the source inside a bundle.
pub const SOURCE_FILE: &str = "verifier.py";

/// Name of the list of Python packages inside a bundle.
pub const REQUIREMENTS_FILE: &str = "requirements.txt";

/// Every verifier may import the official client.
const REQUIREMENTS: &str = "fleet-python";

/// A zip of a verifier's source and its requirements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    bytes: Vec<u8>,
    sha256: String,
}

impl Bundle {
    /// Packs `source` as it is.
    ///
    /// The service finds a bundle by its hash. The modification time is therefore fixed, and the
    /// files are stored, not deflated: no release of a compression library can change the hash.
    pub fn pack(source: &str) -> Self {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .last_modified_time(DateTime::default())
            .unix_permissions(0o644);
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in [(REQUIREMENTS_FILE, REQUIREMENTS), (SOURCE_FILE, source)] {
            zip.start_file(name, options)
                .expect("the name is short and used once");
            zip.write_all(content.as_bytes())
                .expect("writing to memory succeeds");
        }
        let bytes = zip
            .finish()
            .expect("writing to memory succeeds")
            .into_inner();
        let sha256 = hex::encode(Sha256::digest(&bytes));
        Self { bytes, sha256 }
    }

    /// The zip.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The zip's hash in lower-case hex.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The zip in base64, as it travels.
    pub fn to_base64(&self) -> String {
        STANDARD.encode(&self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn the_hash_of_a_source_never_changes() {
        let source = "def verify(env, final_answer=None):\n    return 1\n";
        assert_eq!(Bundle::pack(source), Bundle::pack(source));
        // A new value here means that every bundle stored at a service is uploaded anew.
        assert_eq!(
            Bundle::pack(source).sha256(),
            "db9ee88453ac77d2812d02ba88472be8fc8eabd7a47e276733e32fecd34577a6"
        );
        assert_ne!(Bundle::pack("x").sha256(), Bundle::pack("y").sha256());
    }

    #[test]
    fn a_bundle_holds_two_files_verbatim() {
        let bundle = Bundle::pack("größe = 1\r\n");
        let mut zip = zip::ZipArchive::new(Cursor::new(bundle.bytes())).unwrap();
        let names: Vec<_> = zip.file_names().map(str::to_owned).collect();
        assert_eq!(names, ["requirements.txt", "verifier.py"]);
        let mut source = String::new();
        zip.by_name("verifier.py")
            .unwrap()
            .read_to_string(&mut source)
            .unwrap();
        assert_eq!(source, "größe = 1\r\n");
        assert_eq!(STANDARD.decode(bundle.to_base64()).unwrap(), bundle.bytes());
    }
}
