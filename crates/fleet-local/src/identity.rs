//! Who the server says it is: one team and one profile, the same on every machine, so that recorded
//! answers compare.

pub(crate) const TEAM_ID: &str = "00000000-0000-4000-8000-00000000f1e7";
pub(crate) const TEAM_NAME: &str = "Local";
pub(crate) const PROFILE_ID: &str = "00000000-0000-4000-8000-0000000010ca";
pub(crate) const PROFILE_NAME: &str = "Local user";

/// What clients write for the owner of their own credential.
pub(crate) const SELF: &str = "self";

/// Whether a `profile_id` filter means the one profile there is.
pub(crate) fn is_own_profile(wanted: &str) -> bool {
    wanted == SELF || wanted == PROFILE_ID
}
