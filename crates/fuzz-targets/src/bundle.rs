//! Verifier bundles (zip) and the pickles that come with them.

use fleet_local::verify::{Bundle, decode_pickle};

pub(crate) fn target(data: &[u8]) {
    if let Ok(bundle) = Bundle::unpack(data) {
        let inside =
            |name: &String| !name.starts_with('/') && !name.split('/').any(|part| part == "..");
        assert!(bundle.files.keys().all(inside), "a file leaves the bundle");
        // What is read once is read the same way again.
        assert_eq!(Bundle::unpack(data).ok(), Some(bundle));
    }
    let _ = decode_pickle(data);
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = fleet_api::native_verifier::parse(text);
    }
}
