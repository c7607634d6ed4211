//! An app for the tests of environments: a small HTTP server that misbehaves on command. It is also
//! the supervisor of process trees (`__shim`), so that the tests need no other binary. It ends by
//! itself after a while, so that a fault in the tests leaves nothing for long.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a helper of tests: it may end by a panic, and what it says is read from its output"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, ExitCode};
use std::sync::mpsc;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

/// No test takes that long.
const LIFETIME: Duration = Duration::from_mins(2);

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        Some("__shim") => process_tree::shim_main(),
        Some("__sandbox") => sandbox::sandbox_main(),
        Some("__document") => fleet_local::document_main(),
        Some("lacking") => lacking(&args[1], &args[2..]),
        Some("serve") => serve(&Options::parse(&args[1..])),
        Some("server") => server(&args[1], &args[2]),
        Some("idle") => {
            thread::sleep(LIFETIME);
            ExitCode::SUCCESS
        }
        Some("touch") => {
            std::fs::write(&args[1], args[2..].join(" ")).unwrap();
            ExitCode::SUCCESS
        }
        Some("sql") => {
            let database = rusqlite::Connection::open(&args[1]).unwrap();
            database.execute_batch(&args[2..].join(" ")).unwrap();
            // Without a close: what is in the log beside the database stays there.
            std::mem::forget(database);
            ExitCode::SUCCESS
        }
        Some("fail") => {
            eprintln!("{}", args[1..].join(" "));
            ExitCode::from(7)
        }
        other => {
            eprintln!("unknown command {other:?}");
            ExitCode::from(2)
        }
    }
}

/// A whole server on a state directory, to be killed.
fn server(packages: &str, state: &str) -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut config = fleet_local::ServerConfig::new([packages.into()]);
        config.state_dir = Some(state.into());
        let this = std::env::current_exe().unwrap();
        config.shim = process_tree::Shim::new(&this, ["__shim"]);
        config.sandbox = sandbox::Launcher::new(&this);
        config.harness = this;
        let server = fleet_local::Server::start(config).await.unwrap();
        let mut out = std::io::stdout();
        writeln!(out, "{}", server.base_url()).unwrap();
        out.flush().unwrap();
        tokio::time::sleep(LIFETIME).await;
        ExitCode::SUCCESS
    })
}

/// Becomes another program, for which the kernel is one without this system call.
fn lacking(call: &str, command: &[String]) -> ExitCode {
    use std::os::unix::process::CommandExt as _;
    let call = match call {
        "landlock_create_ruleset" => 444,
        "unshare" if cfg!(target_arch = "aarch64") => 97,
        "unshare" => 272,
        "seccomp" if cfg!(target_arch = "aarch64") => 277,
        "seccomp" => 317,
        other => panic!("no number is known of {other}"),
    };
    let filter = SeccompFilter::new(
        [(call, Vec::new())].into(),
        SeccompAction::Allow,
        SeccompAction::Errno(38), // ENOSYS
        std::env::consts::ARCH.try_into().unwrap(),
    );
    let program: BpfProgram = filter.unwrap().try_into().unwrap();
    seccompiler::apply_filter(&program).unwrap();
    let error = Command::new(&command[0]).args(&command[1..]).exec();
    panic!("{error}")
}

#[derive(Default)]
struct Options {
    port: u16,
    token: String,
    db: Option<String>,
    /// `/health` is 503 until then.
    unhealthy: Duration,
}

impl Options {
    fn parse(args: &[String]) -> Self {
        let mut options = Self::default();
        for pair in args.chunks(2) {
            match pair[0].as_str() {
                "--port" => options.port = pair[1].parse().unwrap(),
                "--token" => options.token.clone_from(&pair[1]),
                "--db" => options.db = Some(pair[1].clone()),
                "--unhealthy-ms" => {
                    options.unhealthy = Duration::from_millis(pair[1].parse().unwrap());
                }
                other => panic!("unknown option {other}"),
            }
        }
        options
    }
}

struct App {
    options: Options,
    started: Instant,
    exit: mpsc::Sender<u8>,
    /// Whether `/events` may send its second event.
    released: (Mutex<bool>, Condvar),
    listener: Mutex<Option<TcpListener>>,
}

fn serve(options: &Options) -> ExitCode {
    let listener = TcpListener::bind(("127.0.0.1", options.port)).unwrap();
    let (exit, exits) = mpsc::channel();
    let app = Arc::new(App {
        options: Options {
            port: options.port,
            token: options.token.clone(),
            db: options.db.clone(),
            unhealthy: options.unhealthy,
        },
        started: Instant::now(),
        exit: exit.clone(),
        released: (Mutex::new(false), Condvar::new()),
        listener: Mutex::new(Some(listener.try_clone().unwrap())),
    });
    thread::spawn(move || {
        loop {
            let Ok((stream, _)) = listener.accept() else {
                return;
            };
            let app = Arc::clone(&app);
            if app.listener.lock().unwrap().is_none() {
                return;
            }
            thread::spawn(move || answer(&app, stream));
        }
    });
    let code = exits
        .recv_timeout(LIFETIME)
        .map_or(ExitCode::SUCCESS, ExitCode::from);
    // Held until here: an app that stopped listening must go on living.
    drop(exit);
    code
}

/// One request per connection.
fn answer(app: &App, stream: TcpStream) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let mut words = first.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        headers.push(line);
    }
    let header = |name: &str| {
        headers.iter().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name)
                .then(|| value.trim().to_owned())
        })
    };
    let body = if header("transfer-encoding").is_some() {
        read_chunks(&mut reader)?
    } else {
        let mut body =
            vec![0; header("content-length").map_or(0, |length| length.parse().unwrap())];
        reader.read_exact(&mut body).ok()?;
        body
    };
    let body = String::from_utf8_lossy(&body).into_owned();
    if path.starts_with("/events") {
        return events(app, &stream, header("mcp-session-id").as_deref());
    }
    if path == "/upgrade" {
        return echo(&mut reader, stream, &header("upgrade")?);
    }
    let (status, text) = respond(app, &method, &path, &headers, &body);
    let reply = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\nx-app: yes\r\ncontent-encoding: test\r\n\r\n{text}",
        text.len()
    );
    let mut stream = stream;
    stream.write_all(reply.as_bytes()).ok()
}

/// Goes on as another protocol, in which everything is said back.
fn echo(reader: &mut impl Read, mut stream: TcpStream, protocol: &str) -> Option<()> {
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: {protocol}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).ok()?;
    std::io::copy(reader, &mut stream).ok()?;
    None
}

/// One event at once, and another when `/release` was asked for.
fn events(app: &App, mut stream: &TcpStream, session: Option<&str>) -> Option<()> {
    let session = session.unwrap_or("none");
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nmcp-session-id: {session}\r\nconnection: close\r\n\r\ndata: first\n\n"
    );
    stream.write_all(head.as_bytes()).ok()?;
    let (released, changed) = &app.released;
    let released = released.lock().unwrap();
    let (mut released, wait) = changed
        .wait_timeout_while(released, LIFETIME, |released| !*released)
        .unwrap();
    if wait.timed_out() {
        return None;
    }
    *released = false;
    stream.write_all(b"data: second\n\n").ok()
}

fn respond(
    app: &App,
    method: &str,
    path: &str,
    headers: &[String],
    body: &str,
) -> (&'static str, String) {
    let ok = |text: String| ("200 OK", text);
    match path.split('?').next().unwrap() {
        "/health" if app.started.elapsed() < app.options.unhealthy => {
            ("503 Service Unavailable", String::new())
        }
        "/health" => ok("fine".to_owned()),
        "/crash" => {
            eprintln!("about to crash, as told");
            app.exit.send(3).unwrap();
            ok(String::new())
        }
        "/release" => {
            *app.released.0.lock().unwrap() = true;
            app.released.1.notify_all();
            ok(String::new())
        }
        "/write" => {
            std::fs::write(
                body.split('\n').next().unwrap(),
                body.split_once('\n').unwrap().1,
            )
            .unwrap();
            ok(String::new())
        }
        "/deaf" => {
            // The accepting thread ends with its next connection, and with it both handles of the
            // listener.
            app.listener.lock().unwrap().take();
            ok(String::new())
        }
        "/fork" => {
            use std::os::unix::process::CommandExt;
            let program = std::env::current_exe().unwrap();
            #[expect(
                clippy::zombie_processes,
                reason = "what nobody waits for is what is tested"
            )]
            let child = Command::new(program)
                .args(["idle", &app.options.token])
                .process_group(0)
                .spawn()
                .unwrap();
            ok(child.id().to_string())
        }
        "/eat" => {
            // Written to, as memory that is only reserved does not count; kept until the end.
            std::mem::forget(vec![1_u8; 96 << 20]);
            ok(String::new())
        }
        "/env" => {
            let variables: Vec<String> = std::env::vars()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            ok(variables.join("\n"))
        }
        "/sql" => {
            let connection = rusqlite::Connection::open(app.options.db.as_ref().unwrap()).unwrap();
            connection.execute_batch(body).unwrap();
            ok(String::new())
        }
        "/count" => {
            let connection = rusqlite::Connection::open(app.options.db.as_ref().unwrap()).unwrap();
            let count: i64 = connection
                .query_row("SELECT COUNT(*) FROM notes", [], |row| row.get(0))
                .unwrap();
            ok(count.to_string())
        }
        _ => ok(format!("{method} {path}\n{}\n\n{body}", headers.join("\n"))),
    }
}

fn read_chunks(reader: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let length = usize::from_str_radix(line.trim(), 16).ok()?;
        let mut chunk = vec![0; length + 2];
        reader.read_exact(&mut chunk).ok()?;
        if length == 0 {
            return Some(body);
        }
        body.extend_from_slice(&chunk[..length]);
    }
}
