//! The verifier service.
