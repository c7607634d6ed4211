//! Owns a tree like the harness does, so that a test can kill an owner.
//!
//! Arguments: the shim, the level, the program, its arguments. Prints how the tree ended and
//! how many children this process still has then.

#![expect(clippy::print_stdout, reason = "the output is what a test looks at")]

use process_tree::{Containment, Shim, TreeCommand, become_subreaper, spawn};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    become_subreaper()?;
    let mut args = std::env::args().skip(1);
    let mut next = || args.next().ok_or("an argument is missing");
    let shim = Shim::new(next()?, Vec::<String>::new());
    let level: u8 = next()?.parse()?;
    let program = next()?;
    let command = TreeCommand {
        args: args.map(Into::into).collect(),
        containment: match level {
            3 => Containment::Require(3),
            level => Containment::AtMost(level),
        },
        ..TreeCommand::new(program, "/")
    };
    let exit = spawn(&shim, command).await?.wait().await;
    println!("{:?} proven_dead={}", exit.status, exit.proven_dead);
    println!("children={}", children()?);
    Ok(())
}

fn children() -> std::io::Result<usize> {
    let mut count = 0;
    for thread in std::fs::read_dir("/proc/self/task")? {
        let list = std::fs::read_to_string(thread?.path().join("children"))?;
        count += list.split_ascii_whitespace().count();
    }
    Ok(count)
}
