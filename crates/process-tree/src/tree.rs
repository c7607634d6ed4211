//! The owner's side of a running tree: stop it, await its end, collect what it wrote.

use std::path::PathBuf;
use std::time::Duration;

use redact::Redactor;
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;
use tokio::net::unix::pipe;
use tokio::process::Child;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

use crate::command::{OutputSink, Shim, TreeCommand};
use crate::error::SpawnError;
use crate::exit::{HeldLimits, LeaderStatus, StreamStats, Survivor, TreeExit};
use crate::os::cgroup::{Cleared, clear_abandoned, place};
use crate::output::{Drained, Handling, Store, drain};
use crate::protocol::{End, KILL, Status, TERMINATE};
use crate::start::{StartError, Started, check, start, wake};
use crate::sweep::sweep;

/// What the dead may have left in a pipe is read at once; longer than this only if something
/// outside the tree holds the other end.
const DRAIN_LIMIT: Duration = Duration::from_secs(1);

/// A shim gives up killing after ten seconds and says so. One that stays silent for longer than
/// this is stopped or stuck, and is killed in turn.
const SHIM_LIMIT: Duration = Duration::from_secs(25);

/// How long a shim that has said its last word may take to exit.
const SHIM_EXIT_LIMIT: Duration = Duration::from_secs(5);

/// As long as a shim itself would try. The inner half of a sealed one keeps the lock of the group
/// until the kernel has ended it.
const CLEAR_LIMIT: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// Starts a command under a supervisor.
///
/// When the returned tree is dropped, the command and everything it started is killed in the
/// background; to know that it is, call [`ProcessTree::wait`].
///
/// # Errors
/// The command has not run. See [`SpawnError`] for the cases.
pub async fn spawn(shim: &Shim, command: TreeCommand) -> Result<ProcessTree, SpawnError> {
    let (highest, lowest) = command.containment.bounds();
    spawn_within(shim, command, highest, lowest).await
}

/// Starts it at the highest level of a range that this machine allows.
pub(crate) async fn spawn_within(
    shim: &Shim,
    command: TreeCommand,
    highest: u8,
    lowest: u8,
) -> Result<ProcessTree, SpawnError> {
    check(&command)?;
    let stdout = open(&command.stdout)?;
    let stderr = open(&command.stderr)?;
    let begun = Instant::now();
    let (started, level) = start_contained(shim, &command, highest, lowest).await?;

    let pid = started.pid.cast_unsigned();
    let (orders, inbox) = mpsc::unbounded_channel();
    let watch = command.watch_last_json_line;
    let Started {
        shim,
        group,
        held,
        registration,
        statuses,
        control,
        stdout: stdout_pipe,
        stderr: stderr_pipe,
        ..
    } = started;
    let stdout = Drain::start(stdout_pipe, stdout, &command.stdout, watch, &command.mask);
    let stderr = Drain::start(stderr_pipe, stderr, &command.stderr, false, &command.mask);
    let supervision = Supervision {
        shim,
        group,
        registration,
        statuses,
        control,
        inbox,
        grace: command.grace,
    };
    let keeper = tokio::spawn(async move {
        let end = supervision.run().await;
        let (stdout, stderr) = tokio::join!(stdout.finish(), stderr.finish());
        TreeExit {
            status: end.status,
            stopped_by_us: end.stopped_by_us,
            leaked: end.leaked,
            proven_dead: end.proven && end.survivors.is_empty(),
            survivors: end.survivors,
            level,
            limits: held,
            oom_kills: end.oom_kills,
            stdout: stdout.stats,
            stderr: stderr.stats,
            last_json_line: stdout.last_json_line,
            duration: begun.elapsed(),
        }
    });
    Ok(ProcessTree {
        pid,
        level,
        orders,
        keeper,
        exit: None,
    })
}

/// A running command and everything it has started.
#[derive(Debug)]
pub struct ProcessTree {
    pid: u32,
    level: u8,
    orders: mpsc::UnboundedSender<Order>,
    keeper: JoinHandle<TreeExit>,
    exit: Option<TreeExit>,
}

impl ProcessTree {
    /// The id of the command itself, as this process sees it.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The level of containment it runs at.
    pub fn level(&self) -> u8 {
        self.level
    }

    /// Waits until the command has ended, every process it started is gone, and its output is in
    /// the sinks. May be dropped and called again; once ended it answers the same at once.
    pub async fn wait(&mut self) -> TreeExit {
        if let Some(exit) = &self.exit {
            return exit.clone();
        }
        // Only a runtime that is being shut down takes the keeper away; its end of the control
        // socket is closed by that, so the tree dies, but nobody is left to see it.
        let exit = (&mut self.keeper)
            .await
            .unwrap_or_else(|_| unseen(self.level));
        self.exit = Some(exit.clone());
        exit
    }

    /// Asks every process to end: TERM, CONT, and after the grace period KILL. Repeats and calls
    /// after the end do nothing.
    pub fn terminate(&self) {
        let _ = self.orders.send(Order::Terminate);
    }

    /// Kills every process now, also when a grace period runs.
    pub fn kill(&self) {
        let _ = self.orders.send(Order::Kill);
    }
}

#[derive(Debug, Clone, Copy)]
enum Order {
    Terminate,
    Kill,
}

/// Starts at the highest level that the machine allows within the bounds.
async fn start_contained(
    shim: &Shim,
    command: &TreeCommand,
    highest: u8,
    lowest: u8,
) -> Result<(Started, u8), SpawnError> {
    let mut reasons = Vec::new();
    for level in (lowest..=highest).rev() {
        let groups = match level {
            1 => None,
            _ => match place() {
                Ok(place) => Some(place.folder.as_path()),
                Err(reason) if level == 2 => {
                    reasons.push(format!("level 2: {reason}"));
                    continue;
                }
                Err(_) => None,
            },
        };
        match start(shim, command, level, groups).await {
            Ok(started) => return Ok((started, level)),
            Err(StartError::Spawn(error)) => return Err(error),
            Err(StartError::CannotContain(why)) => reasons.push(format!("level {level}: {why}")),
        }
    }
    if reasons.is_empty() {
        reasons.push(format!("there is no level {lowest}"));
    }
    Err(SpawnError::Containment {
        required: lowest,
        reason: reasons.join("; "),
    })
}

/// Follows the shim from the start of the command to the proven end of the tree.
struct Supervision {
    shim: Child,
    group: Option<PathBuf>,
    registration: crate::sweep::Registration,
    statuses: crate::start::Statuses,
    control: tokio::net::unix::OwnedWriteHalf,
    inbox: mpsc::UnboundedReceiver<Order>,
    grace: Duration,
}

struct Ended {
    status: LeaderStatus,
    stopped_by_us: bool,
    leaked: u32,
    survivors: Vec<Survivor>,
    oom_kills: u64,
    proven: bool,
}

impl Supervision {
    async fn run(mut self) -> Ended {
        let mut ended = Ended {
            status: LeaderStatus::Unknown,
            stopped_by_us: false,
            leaked: 0,
            survivors: Vec::new(),
            oom_kills: 0,
            proven: false,
        };
        let mut ordered = false;
        let mut owner_waits = true;
        // Set when the shim must have finished; it is out of reach until the tree is to stop.
        let mut deadline: Option<Instant> = None;
        loop {
            // Every arm may be dropped: a status line that is half read stays in its buffer, an
            // order stays in its channel, and the deadline is kept outside.
            let event = tokio::select! {
                status = self.statuses.next() => Event::Status(status),
                order = self.inbox.recv(), if owner_waits => Event::Order(order),
                () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                    Event::Overdue
                }
            };
            match event {
                Event::Status(Some(Status::LeaderEnded { end, stopped_by_us })) => {
                    ended.status = match end {
                        End::Exited(code) => LeaderStatus::Exited(code),
                        End::Signaled(signal) => LeaderStatus::Signaled(signal),
                    };
                    ended.stopped_by_us = stopped_by_us;
                    // From here on the shim has a limit of its own.
                    deadline.get_or_insert(Instant::now() + SHIM_LIMIT);
                }
                Event::Status(Some(Status::Done {
                    leaked,
                    survivors,
                    oom_kills,
                })) => {
                    ended.leaked = leaked;
                    ended.survivors = survivors;
                    ended.oom_kills = oom_kills;
                    ended.proven = true;
                    break;
                }
                // Nothing else is said after the start.
                Event::Status(Some(_)) => {}
                Event::Status(None) => break,
                Event::Order(order) => {
                    owner_waits = order.is_some();
                    // A dropped tree is a killed one.
                    let order = order.unwrap_or(Order::Kill);
                    ordered = true;
                    let limit = match order {
                        Order::Terminate => self.grace.saturating_add(SHIM_LIMIT),
                        Order::Kill => SHIM_LIMIT,
                    };
                    let limit = Instant::now().checked_add(limit);
                    deadline = deadline.into_iter().chain(limit).min();
                    self.pass_on(order).await;
                }
                Event::Overdue => {
                    tracing::warn!("a process supervisor did not finish and is killed");
                    break;
                }
            }
        }
        let exit_limit = if ended.proven {
            SHIM_EXIT_LIMIT
        } else {
            Duration::ZERO
        };
        if timeout(exit_limit, self.shim.wait()).await.is_err() {
            let _ = self.shim.start_kill();
            let _ = timeout(SHIM_EXIT_LIMIT, self.shim.wait()).await;
        }
        drop(self.registration);
        if !ended.proven {
            // The shim was killed, perhaps by its own command: what it watched over is ours now.
            ended.stopped_by_us |= ordered && ended.status == LeaderStatus::Unknown;
            let cleared = clear(self.group).await;
            if let Some(survivors) = sweep().await {
                ended.survivors = survivors;
                ended.proven = cleared;
            }
        }
        ended
    }

    async fn pass_on(&mut self, order: Order) {
        let word = match order {
            Order::Terminate => TERMINATE,
            Order::Kill => KILL,
        };
        // A shim that is gone needs no order.
        let _ = self.control.write_all(&[word]).await;
        wake(&self.shim);
    }
}

/// Ends what a killed shim left in its control group; true if nothing of it is left.
async fn clear(group: Option<PathBuf>) -> bool {
    let Some(group) = group else { return true };
    let until = Instant::now() + CLEAR_LIMIT;
    while clear_abandoned(&group) != Cleared::Gone {
        if Instant::now() >= until {
            return false;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    true
}

enum Event {
    Status(Option<Status>),
    Order(Option<Order>),
    Overdue,
}

/// The reader of one output stream.
struct Drain(Option<(JoinHandle<Drained>, oneshot::Sender<()>)>);

impl Drain {
    fn start(
        pipe: Option<pipe::Receiver>,
        store: Option<Store>,
        sink: &OutputSink,
        watch: bool,
        mask: &Redactor,
    ) -> Self {
        let limit = match sink {
            OutputSink::Null => 0,
            OutputSink::File { limit, .. } | OutputSink::Memory { limit } => *limit,
        };
        Self(pipe.zip(store).map(|(pipe, store)| {
            let (stop, stopped) = oneshot::channel();
            let handling = Handling {
                limit,
                watch,
                mask: mask.clone(),
            };
            let reader = tokio::spawn(drain(pipe, store, handling, stopped));
            (reader, stop)
        }))
    }

    /// Call it when the tree is dead: what is still in the pipe is read, then it ends.
    async fn finish(self) -> Drained {
        let Some((mut reader, stop)) = self.0 else {
            return Drained::default();
        };
        let drained = if let Ok(drained) = timeout(DRAIN_LIMIT, &mut reader).await {
            drained
        } else {
            let _ = stop.send(());
            reader.await
        };
        drained.unwrap_or_default()
    }
}

/// Not by the async file system, whose threads may be just what the machine has no room for.
fn open(sink: &OutputSink) -> Result<Option<Store>, SpawnError> {
    match sink {
        OutputSink::Null => Ok(None),
        OutputSink::Memory { .. } => Ok(Some(Store::Memory(Vec::new()))),
        OutputSink::File { path, .. } => match std::fs::File::create(path) {
            Ok(file) => Ok(Some(Store::File(File::from_std(file)))),
            Err(source) => Err(SpawnError::Output {
                path: path.clone(),
                source,
            }),
        },
    }
}

fn unseen(level: u8) -> TreeExit {
    TreeExit {
        status: LeaderStatus::Unknown,
        stopped_by_us: true,
        leaked: 0,
        survivors: Vec::new(),
        proven_dead: false,
        level,
        limits: HeldLimits::default(),
        oom_kills: 0,
        stdout: StreamStats::default(),
        stderr: StreamStats::default(),
        last_json_line: None,
        duration: Duration::ZERO,
    }
}
