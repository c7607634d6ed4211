//! What an agent leaves as its result.

pub(crate) fn target(data: &[u8]) {
    // Whatever it says, what is kept of it has its limit.
    let kept = harness::read_agent_result(data);
    assert!(kept <= 2 * data.len() + 100);
}
