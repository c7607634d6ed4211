//! What a command is given, how its end is told, and what keeps it from starting.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use crate::support::{Case, eventually, levels, shim, within};
use process_tree::{
    Containment, Held, LeaderStatus, Limits, OutputSink, Shim, SpawnError, StdinSource,
    TreeCommand, probe, spawn,
};

#[tokio::test]
async fn a1_exit_codes_are_reported() {
    for level in levels().await {
        for code in [0, 1, 75, 127, 255] {
            let exit = Case::new("exit", &[&code.to_string()], level).run().await;
            assert_eq!(exit.status, LeaderStatus::Exited(code));
            assert_eq!(exit.leaked, 0);
            assert!(!exit.stopped_by_us && exit.proven_dead, "{exit:?}");
        }
    }
}

#[tokio::test]
async fn a2_signals_are_reported_real_time_ones_too() {
    for level in levels().await {
        for signal in [6, 9, 11, 13, 40] {
            let exit = Case::new("signal", &[&signal.to_string()], level)
                .run()
                .await;
            assert_eq!(exit.status, LeaderStatus::Signaled(signal), "level {level}");
        }
    }
}

#[tokio::test]
async fn a3_a_command_may_use_its_grace_to_finish() {
    for level in levels().await {
        let mut case = Case::new("finishes-on-term", &[], level);
        case.command.grace = Duration::from_mins(1);
        let mut tree = case.spawn_ready().await;
        tree.terminate();
        tree.terminate();
        let exit = within(tree.wait()).await;
        assert_eq!(exit.status, LeaderStatus::Exited(9));
        assert!(exit.stopped_by_us);
        assert_eq!(exit.leaked, 0);
        assert_eq!(case.stdout_text(), "ready\nfinished\n");
    }
}

#[tokio::test]
async fn a3_a4_a_kill_cuts_the_grace_short() {
    for level in levels().await {
        let mut case = Case::new("stubborn", &[], level);
        case.command.grace = Duration::from_mins(10);
        let mut tree = case.spawn_ready().await;
        tree.terminate();
        tree.kill();
        let exit = within(tree.wait()).await;
        assert_eq!(exit.status, LeaderStatus::Signaled(9));
        assert!(exit.stopped_by_us);
    }
}

#[tokio::test]
async fn waiting_may_be_interrupted_and_repeated() {
    let case = Case::new("plain", &[], 1);
    let mut tree = case.spawn_ready().await;
    for _ in 0..5 {
        let early = tokio::time::timeout(Duration::from_millis(5), tree.wait()).await;
        assert!(early.is_err());
    }
    tree.kill();
    let first = within(tree.wait()).await;
    let second = within(tree.wait()).await;
    assert_eq!(first.status, LeaderStatus::Signaled(9));
    assert_eq!(second.status, first.status);
    tree.terminate();
}

#[tokio::test]
async fn a15_closing_its_streams_is_not_the_end_of_a_command() {
    for level in levels().await {
        let exit = Case::new("closes-stdio", &[], level).run().await;
        assert_eq!(exit.status, LeaderStatus::Exited(5));
        assert!(exit.duration >= Duration::from_millis(300), "{exit:?}");
    }
}

#[tokio::test]
async fn a15_standard_input_is_empty_or_a_file() {
    let case = Case::new("stdin", &[], 1);
    case.run().await;
    assert_eq!(case.stdout_text(), "0:\n");

    for level in levels().await {
        let mut case = Case::new("stdin", &[], level);
        std::fs::write(case.path("in"), "the prompt").unwrap();
        case.command.stdin = StdinSource::File(case.path("in"));
        case.run().await;
        assert_eq!(case.stdout_text(), "10:the prompt\n");
    }
}

#[tokio::test]
async fn k7_a18_a_command_gets_what_it_was_given_and_nothing_else() {
    for level in levels().await {
        let mut case = Case::new("describe", &[], level);
        case.command.env = vec![("GREETING".into(), "grüß=dich\n".into())];
        case.command.limits = Limits {
            open_files: Some(77),
            file_bytes: Some(123_456),
            ..Limits::default()
        };
        let mut tree = case.spawn().await;
        let pid = tree.pid();
        let exit = within(tree.wait()).await;
        assert_eq!(
            exit.status,
            LeaderStatus::Exited(0),
            "{}",
            case.stderr_text()
        );
        let told = case.stdout_text();
        let has = |fact: &str| assert!(told.contains(fact), "no {fact:?} in {told}");
        let fact = |name: &str| {
            let line = told.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_default().trim().to_owned()
        };
        assert_eq!(told.matches("env ").count(), 1, "{told}");
        has("env GREETING=grüß=dich\n");
        let cwd = case.dir.path().canonicalize().unwrap();
        assert_eq!(fact("cwd"), cwd.to_str().unwrap());
        has("no_new_privs true");
        assert_eq!(fact("group"), fact("pid"));
        assert_eq!(level == 3, fact("pid") != pid.to_string());
        assert_eq!(fact("SigBlk:"), "0000000000000000");
        // The Rust runtime of the animal itself ignores SIGPIPE, signal 13; 32 and 33 belong to the
        // C library.
        let ignored = u64::from_str_radix(&fact("SigIgn:"), 16).unwrap();
        assert_eq!(ignored & !(0b11 << 31), 1 << 12);
        has("oom_score_adj 500");
        assert_eq!(fact("open"), "3");
        assert_eq!(limit(&told, "Max open files"), ["77", "77"]);
        assert_eq!(limit(&told, "Max file size"), ["123456", "123456"]);
        assert_eq!(limit(&told, "Max core file size"), ["0", "0"]);
    }
}

fn limit<'a>(told: &'a str, name: &str) -> Vec<&'a str> {
    let line = told.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap().split_ascii_whitespace().take(2).collect()
}

#[tokio::test]
async fn the_reported_id_is_that_of_the_command() {
    for level in levels().await {
        let case = Case::new("plain", &[], level);
        let mut tree = case.spawn_ready().await;
        let line = std::fs::read(format!("/proc/{}/cmdline", tree.pid())).unwrap();
        assert!(String::from_utf8(line).unwrap().contains(&case.token));
        tree.kill();
        within(tree.wait()).await;
    }
}

#[tokio::test]
async fn a_program_is_found_in_the_path_of_its_own_environment() {
    let case = Case::new("exit", &["0"], 1);
    let script = case.path("greet");
    write_script(&script, "#!/bin/sh\necho \"$0 $1\"\n");
    let mut command = case.command.clone();
    command.program = "greet".into();
    command.args = vec!["you".into()];
    let path = format!("/nowhere:{}", case.dir.path().display());
    command.env = vec![("PATH".into(), path.into())];
    within(spawn(&shim(), command.clone()).await.unwrap().wait()).await;
    assert_eq!(case.stdout_text(), format!("{} you\n", script.display()));

    command.env = vec![("PATH".into(), "/nowhere".into())];
    let error = spawn(&shim(), command.clone()).await.unwrap_err();
    assert!(matches!(error, SpawnError::NotFound { .. }), "{error:?}");

    command.program = "./greet".into();
    let exit = within(spawn(&shim(), command).await.unwrap().wait()).await;
    assert!(exit.status.success());
}

fn write_script(path: &std::path::Path, content: &str) {
    std::fs::write(path, content).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test]
async fn a17_a_command_that_cannot_start_says_why() {
    for level in levels().await {
        let case = Case::new("exit", &["0"], level);
        let attempt = async |change: &dyn Fn(&mut TreeCommand)| {
            let mut command = case.command.clone();
            change(&mut command);
            spawn(&shim(), command).await.map(|_| ()).unwrap_err()
        };
        let text = case.path("text");
        std::fs::write(&text, "no program").unwrap();
        let no_shell = case.path("no-shell");
        write_script(&no_shell, "#!/no/such/interpreter\n");
        let garbage = case.path("garbage");
        write_script(&garbage, "\x01\x02 not a program");

        let error = attempt(&|command| command.program = "/no/such/program".into()).await;
        assert!(matches!(error, SpawnError::NotFound { .. }), "{error:?}");
        assert_eq!(
            error.to_string(),
            "program \"/no/such/program\" was not found"
        );

        for (file, hint) in [
            (&text, "permission"),
            (&no_shell, "interpreter"),
            (&garbage, "#!"),
        ] {
            let error = attempt(&|command| command.program = file.clone().into()).await;
            assert!(
                matches!(error, SpawnError::NotExecutable { .. }),
                "{error:?}"
            );
            assert!(error.to_string().contains(hint), "{error}");
            assert!(!error.is_transient());
        }

        let error = attempt(&|command| command.cwd = "/no/such/folder".into()).await;
        assert!(matches!(error, SpawnError::WorkingDir { .. }), "{error:?}");

        let missing = StdinSource::File("/no/such/file".into());
        let error = attempt(&|command| command.stdin = missing.clone()).await;
        assert!(matches!(error, SpawnError::Stdin { .. }), "{error:?}");

        let sink = OutputSink::File {
            path: "/no/such/folder/out".into(),
            limit: 1,
        };
        let error = attempt(&|command| command.stdout = sink.clone()).await;
        assert!(matches!(error, SpawnError::Output { .. }), "{error:?}");

        let long = "x".repeat(1 << 20);
        let error = attempt(&|command| command.args.push(long.clone().into())).await;
        assert!(matches!(error, SpawnError::ArgumentsTooLong { bytes } if bytes > 1 << 20));

        let error = attempt(&|command| command.args.push("a\0b".into())).await;
        assert!(matches!(error, SpawnError::Unpassable { .. }), "{error:?}");
        let secret = ("KEY=".into(), "hunter2".into());
        let error = attempt(&|command| command.env.push(secret.clone())).await;
        assert!(matches!(error, SpawnError::Unpassable { .. }), "{error:?}");
        assert!(!format!("{error:?} {error}").contains("hunter2"));
    }
}

#[tokio::test]
async fn a_broken_supervisor_is_not_the_commands_fault() {
    let case = Case::new("exit", &["0"], 1);
    for program in ["/no/such/shim", "/bin/true"] {
        let shim = Shim::new(program, Vec::<String>::new());
        let error = spawn(&shim, case.command.clone()).await.unwrap_err();
        assert!(matches!(error, SpawnError::Shim { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_level_that_does_not_exist_is_refused() {
    let mut case = Case::new("exit", &["0"], 1);
    case.command.containment = Containment::Require(4);
    let error = spawn(&shim(), case.command.clone()).await.unwrap_err();
    assert!(
        matches!(error, SpawnError::Containment { required: 4, .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn the_probe_agrees_with_what_is_reached() {
    let report = probe(&shim()).await;
    assert!(report.level >= 1, "{report:?}");
    assert_eq!(report.level == 3, report.reasons.is_empty(), "{report:?}");
    let mut case = Case::new("exit", &["0"], 1);
    case.command.containment = Containment::Best;
    assert_eq!(case.run().await.level, report.level);

    let nothing = probe(&Shim::new("/no/such/shim", Vec::<String>::new())).await;
    assert_eq!(nothing.level, 0);
    assert_eq!(nothing.reasons.len(), 3);
}

#[tokio::test]
async fn output_can_be_followed_while_the_command_runs() {
    let case = Case::new("plain", &[], 1);
    let mut tree = case.spawn().await;
    eventually("its first words are in the file", || {
        case.stdout() == b"ready\n"
    })
    .await;
    tree.kill();
    within(tree.wait()).await;
}

#[tokio::test]
async fn a16_a_command_may_wreck_its_working_directory() {
    for level in levels().await {
        let mut case = Case::new("wrecks-home", &[], level);
        let home = case.path("home");
        std::fs::create_dir(&home).unwrap();
        case.command.cwd.clone_from(&home);
        let exit = case.run().await;
        // So that the test can clean up where it is not root.
        let usable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&home, usable.clone()).unwrap();
        std::fs::set_permissions(home.join("locked"), usable).unwrap();
        assert_eq!(
            exit.status,
            LeaderStatus::Exited(3),
            "{}",
            case.stderr_text()
        );
        assert!(
            exit.proven_dead && exit.stdout.write_error.is_none(),
            "{exit:?}"
        );
        assert_eq!(case.stdout_text(), "wrecked\n");
    }
}

#[tokio::test]
async fn limits_of_the_tree_are_told() {
    for level in levels().await {
        let mut case = Case::new("describe", &[], level);
        case.command.limits.tree_memory_bytes = Some(1 << 30);
        let exit = case.run().await;
        assert_eq!(exit.limits.processes, Held::NotAsked);
        // Machines differ in what they can hold; none may say that it holds nothing.
        match exit.limits.memory {
            Held::Tree => assert!(level >= 2),
            Held::EachProcess => {
                let told = case.stdout_text();
                assert_eq!(limit(&told, "Max data size"), ["1073741824", "1073741824"]);
            }
            other => panic!("a limit that was asked for is {other:?} at level {level}"),
        }
        assert_eq!(exit.oom_kills, 0);
    }
}
