//! Whether the agent's program can be started, before anything is provisioned. The same search finds the program for
//! a trial, so that `check` and `run` never disagree.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::agent::WorkingDir;
use super::matrix::Variant;
use super::run_spec::RunSpec;
use super::template::Template;
use super::text::Lookup;

/// Where programs are looked for when the agent has no `PATH`; what `execvp` uses then differs between systems.
pub const FALLBACK_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Why a program cannot be started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProgramError {
    /// A bare name that no folder of the search path has.
    #[error("there is no program `{program}` in the agent's PATH")]
    NotInPath {
        /// As rendered.
        program: String,
        /// A file of that name beside the spec or in the working directory, which was probably meant.
        meant: Option<PathBuf>,
    },
    /// A path that leads nowhere.
    #[error("there is no program `{}`", path.display())]
    NotFound {
        /// Absolute.
        path: PathBuf,
    },
    /// Something that is not a file.
    #[error("`{}` is not a file", path.display())]
    NotAFile {
        /// Absolute.
        path: PathBuf,
    },
    /// A file without the right to run it.
    #[error("`{}` is not executable", path.display())]
    NotExecutable {
        /// Absolute.
        path: PathBuf,
    },
    /// A relative path, while every trial starts in a directory of its own.
    #[error("`{program}` is relative to the trial's own directory, which starts empty")]
    RelativeToTrial {
        /// As rendered.
        program: String,
    },
}

impl ProgramError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::NotInPath {
                meant: Some(path), ..
            } => format!("did you mean `{}`?", path.display()),
            Self::NotInPath { meant: None, .. } => {
                "install it, or write its path; the agent inherits PATH unless the spec sets it"
                    .to_owned()
            }
            Self::NotFound { .. } => "relative paths start at `agent.working_dir`".to_owned(),
            Self::NotAFile { .. } => "the first word of the command is the program".to_owned(),
            Self::NotExecutable { path } => format!(
                "run `chmod +x {}`, or put its interpreter first",
                path.display()
            ),
            Self::RelativeToTrial { program } => {
                format!("write `{{spec_dir}}/{}`", program.trim_start_matches("./"))
            }
        }
    }
}

/// Finds the programs that the agent's command starts: one for each variant whose program differs. A program that is
/// only known in a trial (`{trial_dir}/run`) is left out.
///
/// # Errors
/// Every program that cannot be started, as problems of the spec.
pub fn agent_programs(
    spec: &RunSpec,
    harness: &Path,
    lookup: &Lookup<'_>,
) -> Result<Vec<PathBuf>, super::SpecError> {
    let Some(program) = spec.agent.command.first() else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    let mut problems = Vec::new();
    for variant in spec.matrix.variants() {
        let Some(text) = render(spec, program, harness, &variant) else {
            continue;
        };
        let working_dir = match &spec.agent.working_dir {
            WorkingDir::Trial => None,
            WorkingDir::Folder(folder) => Some(folder.clone()),
            WorkingDir::Template(template) => {
                let Some(folder) = render(spec, template, harness, &variant) else {
                    continue;
                };
                Some(spec.spec_dir.join(folder))
            }
        };
        let Some(path) = search_path(spec, harness, &variant, lookup) else {
            continue;
        };
        match find_program(
            &text,
            working_dir.as_deref(),
            &spec.spec_dir,
            OsStr::new(&path),
        ) {
            Ok(path) if found.contains(&path) => {}
            Ok(path) => found.push(path),
            Err(error) if problems.contains(&error) => {}
            Err(error) => problems.push(error),
        }
    }
    if problems.is_empty() {
        return Ok(found);
    }
    let diagnostics = problems.iter().map(|problem| {
        spec.error_at("agent.command[0]", problem.to_string())
            .hint(problem.hint())
    });
    Err(spec.error_of(diagnostics.collect()))
}

/// Finds one program as it would be started: a name with a slash from the working directory (`None` is the trial's own
/// directory), any other name in the search path. The result is absolute.
///
/// # Errors
/// There is nothing that can be started.
pub fn find_program(
    program: &str,
    working_dir: Option<&Path>,
    spec_dir: &Path,
    search_path: &OsStr,
) -> Result<PathBuf, ProgramError> {
    if !program.contains('/') {
        let candidates: Vec<_> = std::env::split_paths(search_path)
            .filter(|folder| folder.is_absolute())
            .map(|folder| folder.join(program))
            .collect();
        if let Some(found) = candidates.iter().find(|path| is_executable(path)) {
            return Ok(found.clone());
        }
        // A file that is there without the right to run it is what the user is looking for.
        if let Some(path) = candidates.into_iter().find(|path| path.is_file()) {
            return Err(ProgramError::NotExecutable { path });
        }
        let meant = working_dir
            .into_iter()
            .chain([spec_dir])
            .map(|folder| folder.join(program))
            .find(|path| path.is_file());
        return Err(ProgramError::NotInPath {
            program: program.to_owned(),
            meant,
        });
    }
    let path = match (Path::new(program).is_absolute(), working_dir) {
        (true, _) => PathBuf::from(program),
        (false, Some(folder)) => super::reader::tidy(&folder.join(program)),
        (false, None) => {
            return Err(ProgramError::RelativeToTrial {
                program: program.to_owned(),
            });
        }
    };
    if !path.exists() {
        Err(ProgramError::NotFound { path })
    } else if !path.is_file() {
        Err(ProgramError::NotAFile { path })
    } else if !is_executable(&path) {
        Err(ProgramError::NotExecutable { path })
    } else {
        Ok(path)
    }
}

/// What a template is for every trial of a variant; `None` if it differs from trial to trial.
fn render(
    spec: &RunSpec,
    template: &Template,
    harness: &Path,
    variant: &Variant,
) -> Option<String> {
    let value = |name: &str| match name {
        "harness" => Some(harness.to_string_lossy().into_owned()),
        "spec_dir" => Some(spec.spec_dir.to_string_lossy().into_owned()),
        _ => variant
            .values
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.clone()),
    };
    template.render(value).ok()
}

/// The agent's `PATH`; `None` if it differs from trial to trial.
fn search_path(
    spec: &RunSpec,
    harness: &Path,
    variant: &Variant,
    lookup: &Lookup<'_>,
) -> Option<String> {
    if let Some((_, template)) = spec.agent.env.iter().find(|(name, _)| name == "PATH") {
        return render(spec, template, harness, variant);
    }
    let inherited = spec
        .agent
        .inherit_env
        .iter()
        .any(|name| name == "PATH")
        .then(|| lookup("PATH"))
        .flatten();
    Some(inherited.unwrap_or_else(|| FALLBACK_PATH.to_owned()))
}

#[cfg(unix)]
fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata()
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(path: &Path) -> bool {
    path.is_file()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::spec::testing;

    fn executable(path: &Path) {
        std::fs::write(path, "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn a_bare_name_is_looked_for_in_the_path_only() {
        let dir = tempfile::tempdir().unwrap();
        executable(&dir.path().join("there"));
        std::fs::write(dir.path().join("plain"), "").unwrap();
        let other = tempfile::tempdir().unwrap();
        let find = |program: &str, path: &Path| {
            find_program(program, Some(dir.path()), other.path(), path.as_os_str())
        };
        assert_eq!(find("there", dir.path()), Ok(dir.path().join("there")));
        assert_eq!(
            find("plain", dir.path()),
            Err(ProgramError::NotExecutable {
                path: dir.path().join("plain")
            })
        );
        let meant = Some(dir.path().join("there"));
        assert_eq!(
            find("there", other.path()),
            Err(ProgramError::NotInPath {
                program: "there".to_owned(),
                meant
            })
        );
        assert!(find("", dir.path()).is_err());
    }

    #[test]
    fn a_path_starts_at_the_working_directory() {
        let dir = tempfile::tempdir().unwrap();
        executable(&dir.path().join("run.sh"));
        let find =
            |program: &str, folder| find_program(program, folder, dir.path(), OsStr::new(""));
        assert_eq!(
            find("./run.sh", Some(dir.path())),
            Ok(dir.path().join("run.sh"))
        );
        assert_eq!(
            find("./none", Some(dir.path())),
            Err(ProgramError::NotFound {
                path: dir.path().join("none")
            })
        );
        assert!(matches!(
            find("./", Some(dir.path())),
            Err(ProgramError::NotAFile { .. })
        ));
        let error = find("./run.sh", None).unwrap_err();
        assert_eq!(error.hint(), "write `{spec_dir}/run.sh`");
    }

    #[test]
    fn every_variant_is_checked_and_trial_paths_are_left_out() {
        let harness = Path::new("/bin/sh");
        let none = |_: &str| None;
        let spec = testing::spec(
            "agent: {command: ['{tool}']}\nmatrix: {tool: [sh, no-such-program, neither-this]}",
        );
        let error = agent_programs(&spec, harness, &none).unwrap_err();
        assert_eq!(error.diagnostics.len(), 2);
        assert!(error.diagnostics[0].span.is_some());
        let later = testing::spec("agent: {command: ['{trial_dir}/run']}");
        assert_eq!(
            agent_programs(&later, harness, &none).unwrap(),
            Vec::<PathBuf>::new()
        );
        let own = testing::spec("agent: {command: ['{harness}', demo]}");
        assert_eq!(
            agent_programs(&own, harness, &none).unwrap(),
            [PathBuf::from("/bin/sh")]
        );
    }

    #[test]
    fn the_path_of_the_agents_own_environment_wins() {
        let dir = tempfile::tempdir().unwrap();
        executable(&dir.path().join("special"));
        let yaml = format!(
            "agent: {{command: [special], env: {{PATH: \"{}\"}}}}",
            dir.path().display()
        );
        let spec = testing::spec(&yaml);
        let found = agent_programs(&spec, Path::new("/bin/sh"), &|_| {
            Some("/nowhere".to_owned())
        })
        .unwrap();
        assert_eq!(found, [dir.path().join("special")]);
    }
}
