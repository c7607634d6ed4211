//! What an agent leaves of its conversation.

pub(crate) fn target(data: &[u8]) {
    // No message comes from nothing; the one beside is the note on what was cut.
    let messages = harness::read_transcript(data);
    assert!(messages <= data.len() + 1);
}
