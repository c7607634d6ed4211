//! Which names say that a value is a secret.

/// Words of a name that say so on their own.
const WORDS: [&str; 7] = [
    "KEY",
    "JWT",
    "PASS",
    "PWD",
    "PAT",
    "CREDENTIAL",
    "CREDENTIALS",
];
/// Ends of words that say so: `GITHUBTOKEN`, `APIKEY`.
const ENDS: [&str; 8] = [
    "TOKEN",
    "SECRET",
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "APIKEY",
    "ACCESSKEY",
    "PRIVATEKEY",
];
/// Names that would say so and do not: a directory, and the key that names a task.
const OTHERWISE: [&str; 3] = ["PWD", "OLDPWD", "FLEET_TASK_KEY"];

/// True when the name of a variable, an option or a field says that its value is a secret: `OPENAI_API_KEY`,
/// `db_password`, `github-token`.
pub fn names_a_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    if OTHERWISE.contains(&name.as_str()) {
        return false;
    }
    name.split(['_', '-', '.'])
        .any(|word| WORDS.contains(&word) || ENDS.iter().any(|end| word.ends_with(end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c4_names_that_look_secret() {
        for name in [
            "FLEET_API_KEY",
            "OPENAI_APIKEY",
            "GITHUBTOKEN",
            "HF_TOKEN",
            "client_secret",
            "DB_PASS",
            "db-password",
            "GOOGLE_CREDENTIALS",
            "KEY",
            "JWT",
        ] {
            assert!(names_a_secret(name), "{name}");
        }
        for name in [
            "MONKEY",
            "MAX_TOKENS",
            "TOKENIZERS_PARALLELISM",
            "PATH",
            "PWD",
            "OLDPWD",
            "KEYBOARD",
            "PASSENGERS",
            "FLEET_TASK_KEY",
            "",
        ] {
            assert!(!names_a_secret(name), "{name}");
        }
    }
}
