//! Attacks on the supervisor and its owner, and what is left when one of them is killed.

use std::process::{Child, Command};

use crate::support::{Case, children, eventually, levels, within, zoo_program};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use process_tree::{LeaderStatus, TreeExit};

#[tokio::test]
async fn a_command_that_kills_its_supervisor_does_not_get_away() {
    let case = Case::new("kills-parent", &[], 1);
    // The owner must be a subreaper, which this process is not: it would inherit from the owners
    // that other tests kill.
    let output = owner_command(1, "kills-parent", &case.token)
        .output()
        .unwrap();
    assert_eq!(case.alive(), 0);
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(told, "Unknown proven_dead=true\nchildren=0\n");
}

#[tokio::test]
async fn an_owner_that_inherits_nothing_does_not_claim_a_proof() {
    let case = Case::new("kills-parent", &[], 1);
    let exit = case.run().await;
    assert_eq!(exit.status, LeaderStatus::Unknown);
    assert!(!exit.proven_dead && exit.survivors.is_empty(), "{exit:?}");
    // The daemon got away, as the level says. It is ours to end, and it was alive.
    let left = case.pids();
    assert!(!left.is_empty());
    for pid in left {
        kill(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL).unwrap();
    }
}

#[tokio::test]
async fn a_sealed_command_cannot_kill_its_supervisor() {
    if !levels().await.contains(&3) {
        return;
    }
    let case = Case::new("kills-parent", &[], 3);
    let mut tree = case.spawn_ready().await;
    eventually("leader and daemon live", || case.alive() == 2).await;
    tree.terminate();
    let exit = within(tree.wait()).await;
    assert!(
        exit.proven_dead && exit.status != LeaderStatus::Unknown,
        "{exit:?}"
    );
    assert_eq!(case.alive(), 0);
}

#[tokio::test]
async fn a_command_that_stops_its_supervisor_can_still_be_killed() {
    let case = Case::new("stops-parent", &[], 1);
    let mut tree = case.spawn_ready().await;
    tree.kill();
    let exit = within(tree.wait()).await;
    assert_eq!(exit.status, LeaderStatus::Signaled(9));
    assert_eq!(case.alive(), 0);
}

#[tokio::test]
async fn a_sealed_command_cannot_kill_everything() {
    if !levels().await.contains(&3) {
        return;
    }
    let outside = std::fs::read_link("/proc/self/ns/pid").unwrap();
    let case = Case::new("kills-everything", &[outside.to_str().unwrap()], 3);
    let exit = case.run().await;
    // Linux spares the caller of kill(-1), so it lives to tell.
    assert_eq!(
        exit.status,
        LeaderStatus::Exited(0),
        "{}",
        case.stderr_text()
    );
    assert_eq!(case.stdout_text(), "still here\n");
}

/// Another process that owns a tree.
fn owner_command(level: u8, kind: &str, token: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_process-tree-owner"));
    command
        .args([env!("CARGO_BIN_EXE_process-tree-shim"), &level.to_string()])
        .args([zoo_program(), kind, token]);
    command
}

fn owner(level: u8, kind: &str, token: &str) -> Child {
    owner_command(level, kind, token).spawn().unwrap()
}

#[tokio::test]
async fn nothing_outlives_a_killed_owner() {
    for level in levels().await {
        for (kind, expected) in [("plain", 1), ("bare-daemon", 2), ("wide", 301)] {
            let case = Case::new(kind, &[], level);
            let mut owner = owner(level, kind, &case.token);
            eventually("the animal lives", || case.alive() > expected).await;
            owner.kill().unwrap();
            owner.wait().unwrap();
            eventually("the animal is gone", || case.alive() == 0).await;
        }
    }
}

#[tokio::test]
async fn a_sealed_tree_does_not_outlive_owner_and_supervisor() {
    if !levels().await.contains(&3) {
        return;
    }
    let case = Case::new("bare-daemon", &[], 3);
    let mut owner = owner(3, "bare-daemon", &case.token);
    eventually("the animal lives", || case.alive() == 3).await;
    let shims = children(owner.id());
    assert_eq!(shims.len(), 1);
    kill(Pid::from_raw(shims[0].cast_signed()), Signal::SIGKILL).unwrap();
    owner.kill().unwrap();
    owner.wait().unwrap();
    eventually("the animal is gone", || case.alive() == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_trees_at_once_do_not_disturb_each_other() {
    let level = *levels().await.last().unwrap();
    let mut running = tokio::task::JoinSet::new();
    for number in 0..40_i32 {
        let case = Case::new("exit", &[&number.to_string()], level);
        running.spawn(async move { (number, case.run().await) });
    }
    while let Some(ended) = running.join_next().await {
        let (number, exit): (i32, TreeExit) = ended.unwrap();
        assert_eq!(exit.status, LeaderStatus::Exited(number));
        assert!(exit.proven_dead);
    }
}
