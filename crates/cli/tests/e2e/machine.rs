//! A machine that gives less than was hoped for: no room to write, few descriptors, nobody who reads, another harness, a
//! program that is replaced under its own feet.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::support::{Bench, Local, Row, assert_row};

fn assert_all_scored(rows: &[Row], count: usize) {
    assert_eq!(rows.len(), count);
    for row in rows {
        assert_row(
            row,
            &[
                ("status", "scored"),
                ("score", "1"),
                ("teardown", "released"),
            ],
        );
    }
}

#[test]
fn k10_a_disk_that_is_read_only_is_found_before_anything_starts() {
    let bench = Bench::new();
    bench.tasks(&["t"]);
    let disk = bench.path("disk");
    fs::create_dir(&disk).unwrap();
    let spec = bench.spec(json!({"report": {"dir": disk.join("runs")}}));
    let mount = format!("mount -t tmpfs -o ro none {}", disk.display());
    let test = "k10_a_disk_that_is_read_only";
    let Some(mut command) = bench.harness_with_mounts(test, &mount) else {
        return;
    };
    command.arg("run").arg(&spec);
    let ran = bench.start(command).end();
    ran.expect(2)
        .says(&["cannot be written", "Read-only file system", "--out"]);
    assert!(bench.runs().is_empty());
}

#[test]
fn k11_few_descriptors_mean_fewer_trials_at_once() {
    let bench = Bench::new();
    bench.tasks(&["a", "b", "c", "d", "e", "f"]);
    let spec = bench.spec(json!({"concurrency": 50}));
    let with = |limit: &str| {
        let mut command = bench.harness_after(limit);
        command.arg("run").arg(&spec);
        command
    };
    let ran = bench.start(with("ulimit -n 64")).end();
    ran.expect(0)
        .says(&["open files, 64", "1 of the 50 environments"]);
    assert_all_scored(&bench.run().rows(), 6);
    // What was asked for is what is recorded.
    assert!(bench.run().text("spec.yaml").contains("environments: 50"));

    let before = bench.runs();
    let ran = bench.start(with("ulimit -n 40")).end();
    ran.expect(2)
        .says(&["open files, 40", "no room", "ulimit -Hn"]);
    assert_eq!(bench.runs(), before);
}

#[test]
fn k11_a_soft_limit_is_raised() {
    let bench = Bench::new();
    bench.tasks(&["a", "b"]);
    let spec = bench.spec(json!({"concurrency": 50}));
    let mut command = bench.harness_after("ulimit -Sn 64");
    command.arg("run").arg(spec);
    let ran = bench.start(command).end();
    ran.expect(0);
    assert!(!ran.stderr.contains("open files"), "{}", ran.stderr);
    assert_all_scored(&bench.run().rows(), 2);
}

#[test]
fn k16_a_second_harness_is_refused_while_the_first_works() {
    let bench = Bench::new();
    let mark = bench.path("mark");
    let go = bench.path("go");
    bench.tasks(&["t"]);
    let spec = bench.script_spec(
        "touch \"$1\"; until [ -e \"$2\" ]; do sleep 0.05; done",
        json!({"agent": {"command": ["sh", "{spec_dir}/agent.sh", mark, go]}}),
    );
    let mut command = bench.harness();
    command.arg("run").arg(spec);
    let mut running = bench.start(command);
    running.until("the agent at work", || mark.exists());
    let second = bench.call(["resume", "latest"]);
    let holder = format!("process {}", running.pid());
    second.expect(2).says(&["locked", &holder]);
    fs::write(go, "").unwrap();
    running.end().expect(0);
    assert_all_scored(&bench.run().rows(), 1);
}

#[test]
fn k18_a_run_ends_well_though_nobody_reads_what_it_says() {
    let bench = Bench::new();
    bench.tasks(&["a", "b"]);
    let spec = bench.spec(json!({}));
    let mut closed = bench.harness_after("exec >&- 2>&-");
    closed.arg("run").arg(&spec);
    bench.start(closed).end().expect(0);
    assert_all_scored(&bench.run().rows(), 2);

    // A pipe without a reader answers every write with EPIPE.
    let deaf = |args: &[&Path]| {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = bench.harness();
        let status = command
            .args(args)
            .stdout(writer.try_clone().unwrap())
            .stderr(writer)
            .status();
        status.unwrap().code()
    };
    assert_eq!(deaf(&[Path::new("run"), &spec]), Some(0));
    assert_eq!(bench.runs().len(), 2);
    assert_all_scored(&bench.run().rows(), 2);
    assert_eq!(deaf(&[Path::new("list")]), Some(0));
}

#[test]
fn k20_a_program_that_is_replaced_finishes_its_run() {
    let bench = Bench::new();
    let local = Local::start(&bench, &[]);
    let marks = bench.path("marks");
    fs::create_dir(&marks).unwrap();
    let go = bench.path("go");
    bench.tasks(&["a", "b"]);
    let spec = bench.script_spec(
        "touch \"$1/$FLEET_TASK_KEY\"; until [ -e \"$2\" ]; do sleep 0.05; done",
        json!({
            "fleet": {"endpoint": local.url, "local": null},
            "agent": {"command": ["sh", "{spec_dir}/agent.sh", marks, go]},
            "concurrency": 1,
        }),
    );
    let program = bench.path("harness");
    let harness = bench.harness();
    fs::copy(harness.get_program(), &program).unwrap();
    let mut command = bench.program(&program);
    command.arg("run").arg(spec).env("FLEET_API_KEY", "any");
    let mut running = bench.start(command);
    running.until("the first agent at work", || marks.join("a").exists());
    // As an update does it: the new file takes the name, the running one keeps its content.
    let new = bench.write("new", "not a program");
    fs::rename(new, &program).unwrap();
    fs::write(go, "").unwrap();
    running.end().expect(0);
    assert!(marks.join("b").exists());
    assert_all_scored(&bench.run().rows(), 2);
    local.stop().expect(0);
}
