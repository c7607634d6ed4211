//! What commands answer: tables and records for people, the API's objects for programs, a hint where there is nothing.

use std::process::Stdio;
use std::time::Duration;

use serde_json::json;

use crate::support::{Bench, Local};

#[test]
fn what_the_server_has_is_listed() {
    let bench = Bench::new();
    let local = Local::start(&bench, &["--instance-limit", "7"]);
    let account = local.fleet(&bench, &["account"]);
    assert_eq!(account.expect(0).json()["instance_limit"], 7);
    assert_eq!(
        local.fleet(&bench, &["envs"]).json()[0]["env_key"],
        "helpdesk"
    );
    let env = local.fleet(&bench, &["envs", "show", "helpdesk"]).json();
    assert_eq!(env["default_version"], "v1.0.0");
    let regions = local.fleet(&bench, &["regions"]).json();
    assert!(regions.as_array().unwrap().contains(&json!("us-west-1")));
    let projects = local.fleet(&bench, &["projects"]).json();
    assert_eq!(projects[0]["project_key"], "helpdesk");
    local
        .fleet(&bench, &["close", "no-such-instance"])
        .expect(0);
    local.stop().expect(0);
    bench.assert_nothing_alive(Duration::ZERO);
}

#[test]
fn p8_people_get_aligned_tables_and_records_without_colour_in_a_file() {
    let bench = Bench::new();
    let local = Local::start(&bench, &[]);
    let envs = local.told(&bench, &["envs"]);
    let lines: Vec<&str> = envs.expect(0).stdout.lines().collect();
    assert_eq!(lines[0], "environment  name      default  versions");
    assert_eq!(lines[1], "helpdesk     Helpdesk  v1.0.0   v1.0.0");
    let account = local.told(&bench, &["account"]);
    assert!(
        account.stdout.contains("\ninstances  0 of 256"),
        "{}",
        account.stdout
    );
    let env = local.told(&bench, &["envs", "show", "helpdesk"]);
    env.expect(0)
        .says(&["harness fleet instances make helpdesk"]);
    for told in [&envs, &account, &env] {
        assert!(!told.stdout.contains('\u{1b}') && !told.stderr.contains('\u{1b}'));
    }
    // Colours only where they are asked for.
    let coloured = local.told(&bench, &["envs", "--color", "always"]);
    assert!(coloured.stdout.contains('\u{1b}'));
    local.stop().expect(0);
}

#[test]
fn an_empty_list_says_so_and_names_the_next_command() {
    let bench = Bench::new();
    let local = Local::start(&bench, &[]);
    for (args, next) in [
        (&["instances"][..], "harness fleet instances make ENV"),
        (
            &["instances", "list", "--mine"],
            "harness fleet instances make ENV",
        ),
        (&["runs"], "harness fleet runs --status all"),
        (
            &["runs", "list", "--status", "all"],
            "harness fleet instances make ENV",
        ),
        (&["jobs"], "harness fleet jobs trace"),
        (&["tasks", "--project", "nobody"], "harness fleet projects"),
    ] {
        let told = local.told(&bench, args);
        told.expect(0).says(&[next]);
        assert_eq!(told.stdout, "", "{args:?}");
        assert_eq!(
            local.fleet(&bench, args).expect(0).json(),
            json!([]),
            "{args:?}"
        );
    }
    local.stop().expect(0);
}

#[test]
fn a_limit_cuts_a_list_and_says_so() {
    let bench = Bench::new();
    let local = Local::start(&bench, &[]);
    let some = local.told(&bench, &["tasks", "list", "--limit", "2"]);
    assert_eq!(some.expect(0).stdout.lines().count(), 3);
    some.says(&["2 of 19", "--limit"]);
    let some = local.fleet(&bench, &["tasks", "--limit", "2"]);
    assert_eq!(some.expect(0).json().as_array().unwrap().len(), 2);
    assert_eq!(some.stderr, "");
    local.stop().expect(0);
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let bench = Bench::new();
    let local = Local::start(&bench, &[]);
    for args in [&["tasks"][..], &["tasks", "--json"], &["envs"]] {
        let mut command = bench.harness();
        command
            .arg("fleet")
            .args(args)
            .args(["--endpoint", &local.url])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        drop(child.stdout.take());
        let ended = child.wait_with_output().unwrap();
        assert_eq!(ended.status.code(), Some(0), "{args:?}");
        assert_eq!(String::from_utf8_lossy(&ended.stderr), "", "{args:?}");
    }
    local.stop().expect(0);
}
