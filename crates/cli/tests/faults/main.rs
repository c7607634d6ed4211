//! Every call of a run × every way it can fail, every step cut off, every moment to be killed: nothing is left behind, no
//! result is lost or counted twice, and an infrastructure fault is never a zero. The ledger of the faulty Fleet is the judge.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answers;
mod closing;
mod crash;
mod creating;
mod disk;
mod living;
mod network;
mod scene;
mod sessions;
mod signals;
mod steps;
mod verifying;
