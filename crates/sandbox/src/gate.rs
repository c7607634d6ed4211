//! The owner's end: hears which layers hold, gets the sandbox's listening socket, and says whether the program may run.

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, Interest};
use tokio::net::{UnixListener, UnixStream};

use crate::layers::Layers;

/// Sockets of one program; the kernel closes what is beyond.
const LISTENERS: usize = 2;

/// Reasons of nine layers need a fraction of it.
const REPORT_BYTES: usize = 64 * 1024;

/// What became of a program that did not start.
const REASON_BYTES: u64 = 4096;

/// A program did not come through its gate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GateError {
    /// The socket failed, or what came over it makes no sense.
    #[error("the sandbox could not be spoken to")]
    Io(#[from] io::Error),
    /// It was let through, but is no program that can run.
    #[error("{reason}")]
    NotExecuted {
        /// What the system said.
        reason: String,
    },
}

/// Where one confined program announces itself. Its socket is in a folder of this user alone and goes with this value.
#[derive(Debug)]
pub struct Gate {
    listener: UnixListener,
    path: PathBuf,
    _folder: TempDir,
}

impl Gate {
    /// A gate that nobody has come to yet.
    ///
    /// # Errors
    /// The temporary folder or the socket cannot be made.
    pub fn new() -> io::Result<Self> {
        // Not in a folder of the caller's: a socket's path may be 107 bytes long at most.
        let folder = tempfile::Builder::new().prefix("gate-").tempdir()?;
        let path = folder.path().join("gate");
        Ok(Self {
            listener: UnixListener::bind(&path)?,
            path,
            _folder: folder,
        })
    }

    /// What the program is told to find it by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for the program to be confined. Dropping the future turns away whoever has come.
    ///
    /// # Errors
    /// It ended before it could say what holds.
    pub async fn meet(&self) -> Result<Visitor, GateError> {
        let (stream, _) = self.listener.accept().await?;
        let mut report = Vec::new();
        let mut listeners = Vec::new();
        while report.last() != Some(&b'\n') {
            let room = REPORT_BYTES - report.len();
            let received = stream
                .async_io(Interest::READABLE, || receive(&stream, room))
                .await?;
            if received.bytes.is_empty() {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            report.extend(received.bytes);
            listeners.extend(received.sockets);
        }
        let layers = serde_json::from_slice(&report).map_err(io::Error::from)?;
        Ok(Visitor {
            stream,
            layers,
            listeners,
        })
    }
}

/// A confined program before its first instruction. Dropping it turns it away.
#[derive(Debug)]
pub struct Visitor {
    stream: UnixStream,
    /// What holds.
    pub layers: Layers,
    /// The sockets that listen in the sandbox's own network, if it has one: at the policy's ports, and at whichever other a program
    /// opened that confined itself. Not blocking.
    pub listeners: Vec<TcpListener>,
}

impl Visitor {
    /// Lets the program run, and returns when it does.
    ///
    /// # Errors
    /// It cannot be executed.
    pub async fn admit(mut self) -> Result<(), GateError> {
        self.stream.write_all(b"+").await?;
        let mut reason = String::new();
        // The socket closes when the program is executed; what comes before is why it was not.
        (&mut self.stream)
            .take(REASON_BYTES)
            .read_to_string(&mut reason)
            .await?;
        if reason.is_empty() {
            Ok(())
        } else {
            Err(GateError::NotExecuted { reason })
        }
    }
}

struct Received {
    bytes: Vec<u8>,
    sockets: Vec<TcpListener>,
}

#[expect(
    unsafe_code,
    reason = "a received descriptor has no owner before it is given one"
)]
fn receive(stream: &UnixStream, room: usize) -> io::Result<Received> {
    let mut buffer = vec![0; room];
    let mut space = nix::cmsg_space!([std::os::fd::RawFd; LISTENERS]);
    let mut parts = [io::IoSliceMut::new(&mut buffer)];
    let message = recvmsg::<()>(
        stream.as_raw_fd(),
        &mut parts,
        Some(&mut space),
        MsgFlags::MSG_CMSG_CLOEXEC,
    )?;
    let length = message.bytes;
    let mut sockets = Vec::new();
    for control in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(descriptors) = control {
            for descriptor in descriptors {
                // SAFETY: the kernel has just made this descriptor for us, and nobody else knows it.
                let owned = unsafe { OwnedFd::from_raw_fd(descriptor) };
                let listener = TcpListener::from(owned);
                listener.set_nonblocking(true)?;
                sockets.push(listener);
            }
        }
    }
    buffer.truncate(length);
    Ok(Received {
        bytes: buffer,
        sockets,
    })
}
