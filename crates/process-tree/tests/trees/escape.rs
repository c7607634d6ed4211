//! No process survives: every kind of escape, at every level, stopped in every way.

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use crate::support::{Case, children, eventually, levels, within, zombies, zoo_program};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use process_tree::{LeaderStatus, TreeExit};

#[derive(Clone, Copy, PartialEq)]
enum Stop {
    Terminate,
    Kill,
    Drop,
}

/// Starts the animal, sees that all its processes live, stops it and sees that none does.
async fn escapes_nothing(kind: &str, extra: &[&str], expected: usize, stop: Stop) {
    for level in levels().await {
        let case = Case::new(kind, extra, level);
        let mut tree = case.spawn_ready().await;
        eventually("every process of the animal lives", || {
            case.alive() >= expected
        })
        .await;
        match stop {
            Stop::Terminate => tree.terminate(),
            Stop::Kill => tree.kill(),
            Stop::Drop => {
                drop(tree);
                eventually("the dropped tree is gone", || case.alive() == 0).await;
                eventually("its supervisor is reaped", || zombies().is_empty()).await;
                continue;
            }
        }
        let exit = within(tree.wait()).await;
        assert_eq!(case.alive(), 0, "{kind} at level {level}: {exit:?}");
        assert!(exit.proven_dead, "{kind} at level {level}: {exit:?}");
        assert!(exit.stopped_by_us, "{kind} at level {level}: {exit:?}");
        assert_eq!(exit.level, level);
        assert!(
            exit.stdout.reached_end && exit.stderr.reached_end,
            "{exit:?}"
        );
        eventually("no zombie is left", || zombies().is_empty()).await;
    }
}

/// Same, for an animal that ends on its own and leaves something behind.
async fn leaks(kind: &str, expected: u32) {
    for level in levels().await {
        let case = Case::new(kind, &[], level);
        let begun = Instant::now();
        let exit = case.run().await;
        assert_eq!(case.alive(), 0, "{kind} at level {level}: {exit:?}");
        assert_eq!(exit.status, LeaderStatus::Exited(0));
        assert!(exit.proven_dead && !exit.stopped_by_us, "{exit:?}");
        assert_eq!(exit.leaked, expected, "{kind} at level {level}: {exit:?}");
        assert!(exit.stdout.reached_end, "{exit:?}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{exit:?}");
    }
}

macro_rules! animals {
    ($($name:ident: $kind:literal, $processes:literal;)*) => {$(
        mod $name {
            use super::*;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn is_terminated() {
                escapes_nothing($kind, &[], $processes, Stop::Terminate).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn is_killed() {
                escapes_nothing($kind, &[], $processes, Stop::Kill).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn is_dropped() {
                escapes_nothing($kind, &[], $processes, Stop::Drop).await;
            }
        }
    )*};
}

animals! {
    plain: "plain", 1;
    stubborn: "stubborn", 1;
    own_group: "own-group", 2;
    own_session: "own-session", 2;
    nohup: "nohup", 2;
    daemon: "daemon", 2;
    stopped_child: "stopped", 3;
    stopped_leader: "stops-itself", 1;
    bare_daemon: "bare-daemon", 2;
    nested_subreaper: "subreaper", 3;
    sibling: "sibling", 2;
    own_namespace: "own-namespace", 3;
    wide: "wide", 301;
}

#[tokio::test]
async fn a_background_process_that_holds_stdout_is_ended() {
    leaks("background-keeps-stdout", 1).await;
}

#[tokio::test]
async fn a_daemon_that_outlives_its_leader_is_ended() {
    leaks("daemon-then-exit", 1).await;
}

/// The file of hops must stop growing: a process that moves can be missed in `/proc`.
async fn hoppers_are_caught(kind: &str, count: &str) {
    for level in levels().await {
        let mut case = Case::new(kind, &[count], level);
        let hops = case.path("hops");
        case.command.args.push(hops.clone().into());
        let length = || std::fs::metadata(&hops).map_or(0, |file| file.len());
        let mut tree = case.spawn_ready().await;
        eventually("they hop", || length() > 50).await;
        tree.terminate();
        let exit = within(tree.wait()).await;
        let before = length();
        assert!(exit.proven_dead, "{exit:?}");
        assert_eq!(case.alive(), 0);
        // Not a wait for something to happen: the time in which nothing may.
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(length(), before, "something still hops at level {level}");
    }
}

#[tokio::test]
async fn a_fork_hopper_is_caught() {
    hoppers_are_caught("hopper", "1").await;
}

#[tokio::test]
async fn two_session_hoppers_are_caught() {
    hoppers_are_caught("session-hoppers", "2").await;
}

#[tokio::test]
async fn sixteen_session_hoppers_are_caught() {
    hoppers_are_caught("session-hoppers", "16").await;
}

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
