//! Resource limits.

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::layers::{Layer, Layers};
use crate::policy::Limits;

/// `countable` says whether the kernel can count the processes of this sandbox alone.
pub(super) fn apply(limits: &Limits, countable: Result<(), String>, layers: &mut Layers) {
    let all = [
        (Resource::RLIMIT_CORE, Some(0)),
        (Resource::RLIMIT_AS, limits.memory_bytes),
        (Resource::RLIMIT_CPU, limits.cpu_seconds),
        (Resource::RLIMIT_FSIZE, limits.file_bytes),
        (Resource::RLIMIT_NOFILE, limits.open_files),
    ];
    let set = all
        .into_iter()
        .try_for_each(|(resource, limit)| lower(resource, limit));
    layers.note(Layer::Limits, set.map_err(|errno| errno.desc().to_owned()));
    if limits.processes.is_some() {
        let set = countable.and_then(|()| {
            lower(Resource::RLIMIT_NPROC, limits.processes).map_err(|errno| errno.desc().to_owned())
        });
        layers.note(Layer::Processes, set);
    }
}

/// Never above the hard limit that is there.
fn lower(resource: Resource, limit: Option<u64>) -> Result<(), Errno> {
    let Some(limit) = limit else { return Ok(()) };
    let (_, hard) = getrlimit(resource)?;
    let limit = limit.min(hard);
    setrlimit(resource, limit, limit)
}
