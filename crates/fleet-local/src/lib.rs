//! An embedded Fleet-compatible server that runs environments as local processes.

pub mod manager;
pub mod verify;
