//! Names of things: runs, tasks, variants, trials, attempts, instances, requests.
//!
//! A trial is named by (run, task, variant, trial) and nothing else; the attempt number is a fencing token.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps a text as it stands.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

text_id! {
    /// Names a run: `NAME-YYYYMMDD-HHMMSS-xxxx`. It is also the `run_id` given to the service.
    RunId
}
text_id! {
    /// Names a task. The identity is the exact bytes; never use it as a path, see [`path_slug`].
    TaskKey
}
text_id! {
    /// Names one combination of the matrix, for example `model=small,effort=low`; `default` without a matrix.
    VariantName
}
text_id! {
    /// The service's name of a running environment.
    InstanceId
}

impl VariantName {
    /// The name of the only variant of a run without a matrix.
    pub const DEFAULT: &'static str = "default";

    /// True when the run has no matrix, so that the name need not be shown.
    pub fn is_default(&self) -> bool {
        self.as_str() == Self::DEFAULT
    }
}

impl RunId {
    /// Makes an id from the run's name, a time and four hex digits of randomness.
    pub fn generate(name: &str, now: jiff::Timestamp) -> Self {
        let stamp = now.strftime("%Y%m%d-%H%M%S");
        let random = Uuid::new_v4().as_u128() & 0xffff;
        Self(format!("{name}-{stamp}-{random:04x}"))
    }
}

/// Names one agent on one task once: (task, variant, trial). Trials count from 1.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TrialId {
    /// The task worked on.
    pub task: TaskKey,
    /// The combination of the matrix.
    pub variant: VariantName,
    /// Which repetition, from 1.
    pub trial: u32,
}

impl fmt::Display for TrialId {
    /// `task`, `task[variant]`, each followed by `#n`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.variant.is_default() {
            write!(f, "{}#{}", self.task, self.trial)
        } else {
            write!(f, "{}[{}]#{}", self.task, self.variant, self.trial)
        }
    }
}

/// Which try of a trial, from 1. Only infrastructure faults make another one; a result of an older attempt is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Attempt(pub u32);

impl Attempt {
    /// The first attempt of a trial.
    pub const FIRST: Self = Self(1);

    /// The attempt after this one.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The idempotency key of one logical request (`X-Request-ID`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(pub Uuid);

impl RequestId {
    /// A fresh random id.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The longest name that is used in a path as it stands; longer ones are cut and get a hash.
const MAX_PLAIN_NAME: usize = 64;

/// A name that is safe as one path component and differs for different keys.
///
/// A key of `[a-z0-9._-]{1,64}` that does not start with a dot stays as it is. Anything else — upper case
/// too, because file systems may fold it — becomes a readable slug, `~` and twelve hex digits of its hash. No plain key
/// has a `~`, so a key cannot be made to look like what another becomes.
pub fn path_slug(key: &str) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
    let is_plain = !key.is_empty()
        && key.len() <= MAX_PLAIN_NAME
        && !key.starts_with(['.', '-'])
        && key.chars().all(plain);
    if is_plain {
        return key.to_owned();
    }
    let slug: String = key
        .chars()
        .map(|c| c.to_ascii_lowercase())
        .map(|c| if plain(c) && c != '.' { c } else { '-' })
        .take(MAX_PLAIN_NAME - 13)
        .collect();
    let hash = fnv1a(key.as_bytes()) >> 16;
    let slug = slug.trim_matches('-');
    let slug = if slug.is_empty() { "key" } else { slug };
    format!("{slug}~{hash:012x}")
}

/// FNV-1a, 64 bits: small, and the same for ever, which the standard library's hasher does not promise.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p5_plain_keys_stay_and_others_get_a_hash() {
        assert_eq!(path_slug("crm-007"), "crm-007");
        assert_eq!(path_slug("v1.2_x"), "v1.2_x");
        for hostile in [
            "../../x",
            "/etc/passwd",
            "a\0b",
            "A",
            "",
            ".",
            "..",
            &"k".repeat(4096),
        ] {
            let slug = path_slug(hostile);
            assert!(slug.len() <= MAX_PLAIN_NAME, "{slug}");
            assert!(!slug.contains(['/', '\0']) && !slug.contains("..") && !slug.starts_with('.'));
            assert_ne!(slug, hostile);
        }
        assert_ne!(path_slug("Task"), path_slug("task"));
        assert_ne!(path_slug("TASK"), path_slug("Task"));
        // A key that is spelled like the folder of another has a folder of its own.
        let folder = path_slug("Task");
        assert_ne!(path_slug(&folder), folder);
    }

    proptest::proptest! {
        #[test]
        fn p5_any_key_is_one_component_of_a_path_and_no_other_key_is_it(
            a in "[\\PC\\x00-\\x1f]{0,80}|[aA./~-]{0,6}|\\.\\./\\PC{0,5}",
            b in "[aA./~-]{0,6}",
        ) {
            for key in [a.as_str(), b.as_str()] {
                let slug = path_slug(key);
                let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-~".contains(c);
                proptest::prop_assert!(!slug.is_empty() && slug.len() <= MAX_PLAIN_NAME);
                proptest::prop_assert!(slug.chars().all(legal) && !slug.starts_with(['.', '-', '~']), "{}", slug);
                proptest::prop_assert!(slug == key || path_slug(&slug) != slug);
            }
            proptest::prop_assert_eq!(a == b, path_slug(&a) == path_slug(&b));
        }
    }

    #[test]
    fn run_ids_carry_name_and_time() {
        let at: jiff::Timestamp = "2026-11-02T03:04:05Z".parse().unwrap();
        let id = RunId::generate("nightly", at);
        assert!(id.as_str().starts_with("nightly-20261102-030405-"));
        assert_eq!(id.as_str().len(), "nightly-20261102-030405-xxxx".len());
    }

    #[test]
    fn trials_are_shown_without_the_default_variant() {
        let trial = |variant: &str| TrialId {
            task: TaskKey::new("t"),
            variant: VariantName::new(variant),
            trial: 2,
        };
        assert_eq!(trial("default").to_string(), "t#2");
        assert_eq!(trial("model=a").to_string(), "t[model=a]#2");
    }
}
