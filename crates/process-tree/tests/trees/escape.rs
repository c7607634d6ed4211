//! Attacks on the supervisor and its owner, and what is left when one of them is killed.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::support::{
    Case, Delegated, as_user, children, eventually, is_stopped, levels, within, zoo_program,
};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use process_tree::{LeaderStatus, TreeExit, end_strays, strays};

#[tokio::test]
async fn a10_a_command_that_kills_its_supervisor_does_not_get_away() {
    for level in levels().await {
        if level == 3 {
            continue;
        }
        let case = Case::new("kills-parent", &[], level);
        // The owner must be a subreaper, which this process is not: it would inherit from the
        // owners that other tests kill.
        let place = Delegated::make(64320).await;
        let mut owner = place.command(owner_program());
        let output = owner.args(owns(level, &case)).output().unwrap();
        assert_eq!(case.alive(), 0, "level {level}");
        let told = String::from_utf8(output.stdout).unwrap();
        let expected = "Unknown proven_dead=true\nchildren=0\nprocesses=NotAsked\n";
        assert_eq!(told, expected, "level {level}");
        // Dropping the place proves that its group is gone.
    }
}

#[tokio::test]
async fn a10_an_owner_that_inherits_nothing_does_not_claim_a_proof() {
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
async fn a10_a_sealed_command_cannot_kill_its_supervisor() {
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
async fn a10_a_sealed_command_cannot_kill_its_owners_control_group() {
    let user = 64324;
    let place = Delegated::make(user).await;
    let (true, Some(group)) = (levels().await.contains(&3), place.folder()) else {
        return;
    };
    // As it is for groups that the user has made.
    std::os::unix::fs::chown(group.join("cgroup.kill"), Some(user), None).unwrap();
    let case = Case::new("kills-group", &[group.to_str().unwrap()], 3);
    let mut owner = place.command(owner_program());
    let output = owner.args(owns(3, &case)).output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    // Without the seal the owner would have nothing more to say.
    assert!(told.starts_with("Exited(0) proven_dead=true"), "{told}");
}

#[tokio::test]
async fn a10_a_command_that_stops_its_supervisor_can_still_be_killed() {
    let case = Case::new("stops-parent", &[], 1);
    let mut tree = case.spawn_ready().await;
    tree.kill();
    let exit = within(tree.wait()).await;
    assert_eq!(exit.status, LeaderStatus::Signaled(9));
    assert_eq!(case.alive(), 0);
}

#[tokio::test]
async fn a10_a_sealed_command_cannot_kill_everything() {
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

fn owner_program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_process-tree-owner"))
}

/// The arguments of another process that owns the animal of a case.
fn owns(level: u8, case: &Case) -> Vec<OsString> {
    let shim = env!("CARGO_BIN_EXE_process-tree-shim");
    let mut args = vec![shim.into(), level.to_string().into(), zoo_program().into()];
    args.extend(case.command.args.iter().cloned());
    args
}

fn owner(level: u8, case: &Case) -> Child {
    let mut owner = Command::new(owner_program());
    owner.args(owns(level, case)).spawn().unwrap()
}

/// Agents of which the experiment behind this design counted survivors, and how many processes
/// show the token while they live: those of the animal and their owner.
fn agents(level: u8) -> Vec<(Case, usize)> {
    let hoppers = Case::new("session-hoppers", &["4"], level);
    let mut agents = vec![
        (Case::new("plain", &[], level), 2),
        (Case::new("bare-daemon", &[], level), 3),
        (Case::new("wide", &[], level), 332),
        (hoppers, 3),
    ];
    agents[3].0.open_to_all();
    let hops = agents[3].0.path("hops");
    agents[3].0.command.args.push(hops.into());
    agents
}

#[tokio::test]
async fn k7_nothing_outlives_a_killed_owner() {
    for level in levels().await {
        for (case, alive) in agents(level) {
            let mut owner = owner(level, &case);
            eventually("the animal lives", || case.alive() >= alive).await;
            owner.kill().unwrap();
            owner.wait().unwrap();
            eventually("the animal is gone", || case.alive() == 0).await;
        }
    }
}

/// As `pkill -9` of the program's name does, or a memory shortage that takes a whole service.
async fn kill_with_its_supervisor(mut owner: Child) {
    let owner_id = owner.id();
    let shims = children(owner_id);
    assert_eq!(shims.len(), 1, "an owner has one supervisor");
    let both = [shims[0], owner_id];
    let send = |signal| {
        for pid in both {
            kill(Pid::from_raw(pid.cast_signed()), signal).unwrap();
        }
    };
    // Stopped first, so that neither does its work between the ends of the two.
    eventually("both are stopped", || {
        // Again, because an owner wakes a supervisor that seems to have been stopped.
        send(Signal::SIGSTOP);
        both.into_iter().all(is_stopped)
    })
    .await;
    send(Signal::SIGKILL);
    owner.wait().unwrap();
}

#[tokio::test]
async fn k7_a_sealed_tree_does_not_outlive_owner_and_supervisor() {
    if !levels().await.contains(&3) {
        return;
    }
    for (case, alive) in agents(3) {
        let owner = owner(3, &case);
        eventually("the animal lives", || case.alive() >= alive).await;
        kill_with_its_supervisor(owner).await;
        eventually("the animal is gone", || case.alive() == 0).await;
    }
}

#[tokio::test]
async fn k7_what_outlived_owner_and_supervisor_in_a_group_ends_at_the_next_start() {
    if !levels().await.contains(&2) {
        return;
    }
    for (case, alive) in agents(2) {
        if case.command.args[0] == "plain" {
            // It dies with its supervisor; the others leave what does not.
            continue;
        }
        // A place of its own: another test's start would clear it as well.
        let place = Delegated::make(64321).await;
        let mut owner = place.command(owner_program());
        let owner = owner.args(owns(2, &case)).spawn().unwrap();
        eventually("the animal lives", || case.alive() >= alive).await;
        kill_with_its_supervisor(owner).await;
        // Not at once: what hops can be missed.
        eventually(
            &format!("{:?} lives on in its group", case.command.args[0]),
            || case.alive() > 0,
        )
        .await;

        let next = Case::new("exit", &["0"], 2);
        let mut owner = place.command(owner_program());
        let output = owner.args(owns(2, &next)).output().unwrap();
        let told = String::from_utf8(output.stdout).unwrap();
        assert!(told.contains("Exited(0) proven_dead=true"), "{told}");
        assert_eq!(case.alive(), 0, "the next start ends what was left");
    }
}

#[tokio::test]
async fn k6_what_outlived_owner_and_supervisor_is_found_by_its_marker() {
    let case = Case::new("subreaper", &[], 1);
    let mut owner = Command::new(owner_program());
    let owner = owner
        .args(owns(1, &case))
        .env("OWNER_MARKER", &case.token)
        .spawn()
        .unwrap();
    eventually("the animal lives", || case.alive() >= 4).await;
    kill_with_its_supervisor(owner).await;
    // The leader goes with its supervisor, what it started does not.
    eventually("two are left", || case.alive() == 2).await;
    let mut found = strays("ZOO_MARKER", &case.token);
    let mut pids: Vec<u32> = found.iter().map(|stray| stray.pid).collect();
    pids.sort_unstable();
    assert_eq!(pids, case.pids());
    assert!(found[0].comm.starts_with("process-tree"), "{found:?}");

    let end = end_strays("ZOO_MARKER", &case.token);
    assert_eq!(case.alive(), 0);
    found.sort_unstable();
    assert_eq!((end.ended, end.left), (found, Vec::new()));
    assert_eq!(strays("ZOO_MARKER", &case.token), []);
}

/// How many processes a fork bomb gets to.
const BOMB_LIMIT: u64 = 60;

#[tokio::test]
async fn a9_a_fork_bomb_meets_its_limit_and_is_ended() {
    if !nix::unistd::getuid().is_root() {
        eprintln!("not tested: only root can give a test a user of its own to exhaust");
        return;
    }
    for level in levels().await {
        // A user of its own, because the kernel counts the processes of all of a user's.
        let place = Delegated::make(64322).await;
        let mut case = Case::new("fork-bomb", &[&BOMB_LIMIT.to_string()], level);
        let births = case.path("births");
        case.open_to_all();
        case.command.args.push(births.into());
        let mut owner = place.command(owner_program());
        owner
            .args(owns(level, &case))
            .env("OWNER_STOPS", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        // Sealed, the tree has a count of its own; elsewhere only the user's can be bounded.
        let variable = ["OWNER_NPROC", "OWNER_PROCESSES"][usize::from(level == 3)];
        owner.env(variable, BOMB_LIMIT.to_string());
        let mut owner = owner.spawn().unwrap();
        eventually("the bomb fills its limit", || {
            case.alive() as u64 > BOMB_LIMIT / 2
        })
        .await;
        let alive = case.alive() as u64;
        assert!(alive <= BOMB_LIMIT + 1, "{alive} at level {level}");
        drop(owner.stdin.take());
        let output = owner.wait_with_output().unwrap();
        assert_eq!(case.alive(), 0, "level {level}");
        let told = String::from_utf8(output.stdout).unwrap();
        assert!(told.contains("proven_dead=true"), "level {level}: {told}");
        let limited = told.contains("processes=Tree");
        assert_eq!(limited, level == 3, "level {level}: {told}");
        eprintln!("fork bomb: level {level}, {alive} processes ended");
    }
}

#[tokio::test]
async fn k12_no_room_for_a_process_is_worth_another_try() {
    if !nix::unistd::getuid().is_root() {
        eprintln!("not tested: only root can give a test a user of its own to exhaust");
        return;
    }
    for level in levels().await {
        let case = Case::new("exit", &["0"], level);
        let output = as_user(64323, owner_program())
            .args(owns(level, &case))
            .env("OWNER_NPROC", "1")
            .output()
            .unwrap();
        let told = String::from_utf8(output.stdout).unwrap();
        assert!(told.starts_with("no tree, transient=true"), "{told}");
    }
}

#[tokio::test]
async fn k20_a_program_that_is_replaced_still_starts_its_supervisor() {
    let case = Case::new("exit", &["7"], 1);
    let program = case.path("owner");
    std::fs::copy(owner_program(), &program).unwrap();
    let mut args = owns(1, &case);
    args[0] = "self".into();
    let mut owner = Command::new(&program)
        .args(args)
        .env("OWNER_WAITS", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(owner.stdout.take().unwrap());
    let mut line = String::new();
    told.read_line(&mut line).unwrap();
    assert_eq!(line, "waiting\n");

    // As an upgrade does it: another file under the same name.
    std::fs::write(case.path("new"), "not a program").unwrap();
    std::fs::rename(case.path("new"), &program).unwrap();
    drop(owner.stdin.take());
    line.clear();
    told.read_line(&mut line).unwrap();
    assert_eq!(line, "Exited(7) proven_dead=true\n");
    owner.wait().unwrap();
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
