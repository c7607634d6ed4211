//! Owns a tree like the harness does, so that a test can kill an owner, or be one as another user.
//!
//! Arguments: the shim (`self` for this program), the level, the program, its arguments. Prints how
//! the tree ended, how many children this process still has then, and how far its number of
//! processes was limited; or why there was no tree.
//!
//! Variables: `OWNER_WAITS` waits for a line on standard input before the start, `OWNER_STOPS` kills
//! the tree at the next one. `OWNER_NPROC` limits the processes of the user, `OWNER_PROCESSES` those
//! of the tree. `OWNER_MARKER` is what the tree has in its environment as `ZOO_MARKER`.

#![cfg(target_os = "linux")]
#![expect(clippy::print_stdout, reason = "the output is what a test looks at")]

use std::io::{Write as _, stdin, stdout};
use std::process::ExitCode;

use nix::sys::resource::{Resource, setrlimit};
use process_tree::{
    Containment, Limits, ProcessTree, Shim, TreeCommand, TreeExit, become_subreaper, shim_main,
    spawn,
};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<ExitCode, Failure> {
    if std::env::args().nth(1).as_deref() == Some("__shim") {
        return Ok(shim_main());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(own())?;
    Ok(ExitCode::SUCCESS)
}

async fn own() -> Result<(), Failure> {
    become_subreaper()?;
    let mut args = std::env::args().skip(1);
    let mut next = || args.next().ok_or("an argument is missing");
    let shim = match next()?.as_str() {
        "self" => Shim::current_exe(),
        program => Shim::new(program, Vec::<String>::new()),
    };
    let level: u8 = next()?.parse()?;
    let program = next()?;
    let command = TreeCommand {
        args: args.map(Into::into).collect(),
        env: std::env::var_os("OWNER_MARKER")
            .map(|marker| ("ZOO_MARKER".into(), marker))
            .into_iter()
            .collect(),
        containment: match level {
            3 => Containment::Require(3),
            level => Containment::AtMost(level),
        },
        limits: Limits {
            tree_processes: variable("OWNER_PROCESSES"),
            ..Limits::default()
        },
        ..TreeCommand::new(program, "/")
    };
    if std::env::var_os("OWNER_WAITS").is_some() {
        say("waiting")?;
        stdin().read_line(&mut String::new())?;
    }
    if let Some(limit) = variable("OWNER_NPROC") {
        setrlimit(Resource::RLIMIT_NPROC, limit, limit)?;
    }
    match spawn(&shim, command).await {
        Ok(tree) => {
            let exit = end(tree).await?;
            println!("{:?} proven_dead={}", exit.status, exit.proven_dead);
            println!("children={}", children()?);
            println!("processes={:?}", exit.limits.processes);
        }
        Err(error) => println!("no tree, transient={}: {error}", error.is_transient()),
    }
    Ok(())
}

async fn end(mut tree: ProcessTree) -> Result<TreeExit, Failure> {
    if std::env::var_os("OWNER_STOPS").is_some() {
        say("running")?;
        stdin().read_line(&mut String::new())?;
        tree.kill();
    }
    Ok(tree.wait().await)
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn say(word: &str) -> std::io::Result<()> {
    println!("{word}");
    stdout().flush()
}

fn children() -> std::io::Result<usize> {
    let mut count = 0;
    for thread in std::fs::read_dir("/proc/self/task")? {
        let list = std::fs::read_to_string(thread?.path().join("children"))?;
        count += list.split_ascii_whitespace().count();
    }
    Ok(count)
}
