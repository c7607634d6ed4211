//! Questions at a terminal: what `--yes` answers in advance, a person answers here.

use std::process::Command;

use crate::support::{Bench, Local, skip};

/// `script` runs a command at a terminal of its own.
fn at_a_terminal(bench: &Bench, local: &Local, args: &str, answer: &str) -> (i32, String) {
    let command = format!(
        "{} fleet {args} --endpoint {}",
        env!("CARGO_BIN_EXE_harness"),
        local.url
    );
    let typed = bench.write("typed", answer);
    let mut script = Command::new("script");
    script
        .args(["--quiet", "--return", "--command", &command, "/dev/null"])
        .env("HOME", bench.path("home"))
        .env("TERM", "xterm")
        .env_remove("FLEET_API_KEY")
        .env_remove("CI")
        .stdin(std::fs::File::open(typed).unwrap());
    let ended = script.output().unwrap();
    let text = String::from_utf8_lossy(&ended.stdout).into_owned();
    (ended.status.code().unwrap(), text)
}

#[test]
fn a_person_is_asked_and_everything_but_yes_changes_nothing() {
    if Command::new("script").arg("--version").output().is_err() {
        return skip("asking", "there is no `script` of util-linux");
    }
    let bench = Bench::new();
    let local = Local::start(&bench, &[]);
    local.instance(&bench, &["--run", "r"]);
    let living = || {
        local
            .fleet(&bench, &["instances"])
            .json()
            .as_array()
            .unwrap()
            .len()
    };
    for answer in ["\n", "n\n", "what\n"] {
        let (code, text) = at_a_terminal(&bench, &local, "instances close-all --run r", answer);
        assert_eq!(code, 0, "{text}");
        assert!(text.contains("close 1 instance? [y/N]"), "{text}");
        assert!(text.contains("nothing was changed"), "{text}");
        assert_eq!(living(), 1, "{answer:?}");
    }
    // A person sees how long ago, a file gets the moment.
    let (_, table) = at_a_terminal(&bench, &local, "instances", "");
    assert!(table.contains("ago") || table.contains("now"), "{table}");
    let (code, text) = at_a_terminal(&bench, &local, "instances close-all --run r", "y\n");
    assert_eq!(code, 0, "{text}");
    assert_eq!(living(), 0);
    local.stop().expect(0);
}
