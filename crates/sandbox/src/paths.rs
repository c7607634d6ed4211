//! Where programs and what they need are found: what every program may read, and what belongs to an installation.
//!
//! Only folders of the system and of this process's own `PATH` are considered; nothing that a request says opens a folder.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Programs and libraries, and the few settings that they read at their start. Not `/etc` as a whole: there are secrets in it.
const SYSTEM: &[&str] = &[
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/usr",
    "/opt",
    "/nix/store",
    "/gnu/store",
    "/run/current-system/sw",
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/crypto-policies",
    "/etc/debian_version",
    "/etc/gai.conf",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/nsswitch.conf",
    "/etc/os-release",
    "/etc/perl",
    "/etc/pki/tls/certs",
    "/etc/pki/ca-trust",
    "/etc/protocols",
    "/etc/python3",
    "/etc/services",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/timezone",
    "/proc/cpuinfo",
    "/proc/filesystems",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/sys/kernel/osrelease",
    "/proc/sys/vm/overcommit_memory",
    "/proc/version",
    "/sys/devices/system/cpu",
];

/// Names of folders for programs, and what an installation has beside them. Not the whole prefix: `~/.cargo/bin` and `~/.local/bin` have
/// credentials and keyrings as neighbours.
const PROGRAMS: [&str; 3] = ["bin", "sbin", "shims"];
const BESIDE_PROGRAMS: [&str; 9] = [
    "lib",
    "lib64",
    "libexec",
    "include",
    "versions",
    "plugins",
    "Cellar",
    "opt",
    "pyvenv.cfg",
];

/// What every program may read and execute.
pub fn system_paths() -> Vec<PathBuf> {
    let versioned = std::fs::read_dir("/etc")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
            name.starts_with("python3.") || name.starts_with("java-")
        });
    SYSTEM.iter().map(PathBuf::from).chain(versioned).collect()
}

/// What belongs to programs in these folders: the folders themselves, and the libraries beside each that is named as folders of programs
/// are. Links are followed too, as a virtual environment's interpreter leads to another installation. The home folder is never
/// granted, nor any that holds it.
pub fn installations<'a>(folders: impl IntoIterator<Item = &'a Path>) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for folder in folders.into_iter().filter(|folder| folder.is_absolute()) {
        for folder in [Some(folder.to_owned()), folder.canonicalize().ok()] {
            let Some(folder) = folder.filter(|folder| !holds_home(folder)) else {
                continue;
            };
            let name = folder
                .file_name()
                .and_then(OsStr::to_str)
                .unwrap_or_default();
            if let Some(prefix) = folder.parent().filter(|_| PROGRAMS.contains(&name)) {
                paths.extend(BESIDE_PROGRAMS.map(|name| prefix.join(name)));
            }
            paths.push(folder);
        }
    }
    paths.sort();
    paths.dedup();
    paths
}

/// Whether a folder is the user's home or holds it, by whatever name: what `HOME` says, where that leads, and what the system knows.
pub fn holds_home(folder: &Path) -> bool {
    let named = std::env::var_os("HOME").map(PathBuf::from);
    let homes: Vec<PathBuf> = named.into_iter().chain(home_of_user()).collect();
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    homes.iter().filter(|home| home.is_absolute()).any(|home| {
        home.starts_with(folder)
            || home.starts_with(real(folder))
            || real(home).starts_with(real(folder))
    })
}

#[cfg(unix)]
fn home_of_user() -> Option<PathBuf> {
    let user = nix::unistd::User::from_uid(nix::unistd::Uid::effective());
    // Accounts of services live in `/`, which is nobody's home.
    let home = user.ok()??.dir;
    home.parent().is_some().then_some(home)
}

#[cfg(not(unix))]
fn home_of_user() -> Option<PathBuf> {
    None
}

/// The file that a program's name means, looked for as a shell does. A name with a `/` in it is taken as it is.
pub fn find_program(name: &OsStr, search: Option<&OsStr>) -> Option<PathBuf> {
    let is_program = |path: &PathBuf| {
        path.metadata()
            .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    if name.as_encoded_bytes().contains(&b'/') {
        return Some(PathBuf::from(name)).filter(is_program);
    }
    std::env::split_paths(search.unwrap_or(OsStr::new("/usr/local/bin:/usr/bin:/bin")))
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(name))
        .find(is_program)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_installation_is_its_programs_and_libraries_and_not_its_neighbours() {
        let folder = tempfile::tempdir().unwrap();
        let prefix = folder.path().canonicalize().unwrap().join("tool");
        std::fs::create_dir_all(prefix.join("bin")).unwrap();
        let granted = installations([prefix.join("bin").as_path()]);
        assert!(granted.contains(&prefix.join("bin")) && granted.contains(&prefix.join("lib")));
        assert!(!granted.contains(&prefix) && !granted.contains(&prefix.join("share")));
        assert!(installations([Path::new("/"), Path::new("relative")]).is_empty());
    }

    #[test]
    fn the_home_folder_is_known_by_every_name() {
        let home = home_of_user().expect("whoever runs tests has one");
        assert!(holds_home(&home) && holds_home(Path::new("/")));
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&home, &link).unwrap();
        assert!(holds_home(&link));
        assert!(!holds_home(folder.path()) && !holds_home(&home.join("project")));
    }

    #[test]
    fn a_program_is_found_as_a_shell_finds_it() {
        let search = Some(OsStr::new("/nonexistent:/usr/bin:/bin"));
        assert!(find_program(OsStr::new("sh"), search).is_some_and(|path| path.ends_with("sh")));
        assert_eq!(find_program(OsStr::new("no-such-program"), search), None);
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(find_program(file.path().as_os_str(), search), None);
    }
}
