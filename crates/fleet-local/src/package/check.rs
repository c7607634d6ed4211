//! From the text of `environment.yaml` to a [`Package`]: what is accepted, and every check that
//! needs no more than the package's own folder.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::manifest::{
    AppManifest, DataSet, Package, PackageError, is_variable_name, seed_placeholder,
};
use super::{OrderedMap, Values};
use crate::seam::CURRENT;

/// Versions of a package that names none.
const ONLY_VERSION: &str = "v1.0.0";

/// Apps that say nothing get this long; slow ones set their own.
const DEFAULT_START_TIMEOUT: Duration = Duration::from_secs(30);

/// A start that takes longer than an hour is a mistake in the unit.
const START_TIMEOUT_RANGE: RangeInclusive<Duration> =
    Duration::from_millis(1)..=Duration::from_hours(1);

/// Parses and checks the text of the manifest `file`, which lies in the folder `dir`.
pub(super) fn parse(text: &str, dir: &Path, file: &Path) -> Result<Package, PackageError> {
    let options = serde_saphyr::options! { strict_booleans: true };
    let raw: RawManifest = serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        PackageError::Syntax {
            file: file.to_owned(),
            message: error.to_string(),
        }
    })?;
    Checker { dir, file }.package(raw)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawManifest {
    key: String,
    name: Option<String>,
    description: Option<String>,
    #[serde(default)]
    versions: OrderedMap<String>,
    default_version: Option<String>,
    #[serde(default)]
    data: OrderedMap<OrderedMap<RawData>>,
    #[serde(default)]
    setup: Vec<Vec<String>>,
    apps: OrderedMap<RawApp>,
    start_timeout: Option<String>,
    #[serde(default)]
    limits: RawLimits,
    #[serde(default)]
    tasks: Vec<String>,
}

/// `current: seeds/x.sql`, or under the reserved name `versions` a mapping version → data name →
/// path.
#[derive(Debug)]
enum RawData {
    File(String),
    Versions(OrderedMap<OrderedMap<String>>),
}

impl<'de> Deserialize<'de> for RawData {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FileOrVersions;

        impl<'de> serde::de::Visitor<'de> for FileOrVersions {
            type Value = RawData;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a path, or a mapping of versions")
            }

            fn visit_str<E: serde::de::Error>(self, path: &str) -> Result<Self::Value, E> {
                Ok(RawData::File(path.to_owned()))
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                map: A,
            ) -> Result<Self::Value, A::Error> {
                OrderedMap::deserialize(serde::de::value::MapAccessDeserializer::new(map))
                    .map(RawData::Versions)
            }
        }

        // Not `untagged`: that would lose the location of an error inside.
        deserializer.deserialize_any(FileOrVersions)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawApp {
    command: Vec<String>,
    health: Option<String>,
    url: Option<String>,
    #[serde(default)]
    env: OrderedMap<String>,
    #[serde(default)]
    databases: OrderedMap<String>,
    mcp: Option<String>,
    computer_mcp: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLimits {
    memory: Option<String>,
}

struct Checker<'a> {
    dir: &'a Path,
    file: &'a Path,
}

impl Checker<'_> {
    fn package(&self, raw: RawManifest) -> Result<Package, PackageError> {
        self.identifier("key", &raw.key)?;
        let mut versions = raw.versions.0;
        if versions.is_empty() {
            versions.push((ONLY_VERSION.to_owned(), String::new()));
        }
        for (version, _) in &versions {
            self.identifier("versions", version)?;
        }
        let default_version = match raw.default_version {
            Some(wanted) if versions.iter().any(|(version, _)| *version == wanted) => wanted,
            Some(wanted) => {
                return Err(self.invalid(
                    "default_version",
                    format!("{wanted} is not among `versions`"),
                ));
            }
            None => versions
                .last()
                .expect("a version was added if there was none")
                .0
                .clone(),
        };

        let mut data = Vec::new();
        for (key, entries) in raw.data.0 {
            let set = self.data_set(&key, entries)?;
            data.push((key, set));
        }

        if raw.apps.is_empty() {
            return Err(self.invalid("apps", "at least one app is needed"));
        }
        let mut apps = Vec::new();
        for (name, app) in raw.apps.0 {
            let key = format!("apps.{name}");
            self.identifier(&key, &name)?;
            if matches!(name.as_str(), "api" | "mcp") {
                // `/api/v1/env` and `/mcp` without an app segment are paths of the instance itself.
                return Err(self.invalid(&key, "this name belongs to the instance itself"));
            }
            apps.push((name.clone(), self.app(&key, app, &data)?));
        }

        let start_timeout = match &raw.start_timeout {
            None => DEFAULT_START_TIMEOUT,
            Some(text) => self.duration("start_timeout", text)?,
        };
        let memory_limit = raw
            .limits
            .memory
            .as_deref()
            .map(|text| self.size("limits.memory", text))
            .transpose()?;
        let tasks = raw
            .tasks
            .iter()
            .map(|path| self.existing_file("tasks", path))
            .collect::<Result<_, _>>()?;

        let package = Package {
            dir: self.dir.to_owned(),
            name: raw.name.unwrap_or_else(|| raw.key.clone()),
            key: raw.key,
            description: raw.description,
            versions,
            default_version,
            data,
            setup: raw.setup,
            apps,
            start_timeout,
            memory_limit,
            tasks,
        };
        self.placeholders(&package)?;
        Ok(package)
    }

    fn data_set(
        &self,
        data_key: &str,
        entries: OrderedMap<RawData>,
    ) -> Result<DataSet, PackageError> {
        let at = format!("data.{data_key}");
        self.identifier(&at, data_key)?;
        let mut set = DataSet {
            databases: BTreeMap::new(),
            versions: Vec::new(),
        };
        for (name, entry) in entries.0 {
            let key = format!("{at}.{name}");
            match entry {
                RawData::File(path) => {
                    set.databases
                        .insert(name.clone(), self.database(&key, &name, &path)?);
                }
                RawData::Versions(versions) if name == "versions" => {
                    for (version, files) in versions.0 {
                        self.identifier(&key, &version)?;
                        let mut databases = BTreeMap::new();
                        for (name, path) in files.0 {
                            let key = format!("{key}.{version}.{name}");
                            databases.insert(name.clone(), self.database(&key, &name, &path)?);
                        }
                        set.versions.push((version, databases));
                    }
                }
                RawData::Versions(_) => {
                    return Err(
                        self.invalid(&key, "a path is expected; only `versions` holds a mapping")
                    );
                }
            }
        }
        if set.databases.is_empty() {
            // The last version is the default, as with the package's own versions.
            if let Some((_, last)) = set.versions.last() {
                set.databases.clone_from(last);
            }
        }
        if set.databases.is_empty() {
            return Err(self.invalid(
                &at,
                format!("names no database; `{CURRENT}: PATH` is expected"),
            ));
        }
        Ok(set)
    }

    fn database(&self, key: &str, name: &str, path: &str) -> Result<PathBuf, PackageError> {
        self.database_name(key, name)?;
        let path = self.existing_file(key, path)?;
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("sql" | "db" | "sqlite" | "sqlite3") => Ok(path),
            _ => Err(self.invalid(key, "a .sql script or a .db file is expected")),
        }
    }

    fn database_name(&self, key: &str, name: &str) -> Result<(), PackageError> {
        self.identifier(key, name)?;
        if name == "seed" {
            return Err(self.invalid(
                key,
                "`seed` is the read-only twin of `current` and cannot be given",
            ));
        }
        Ok(())
    }

    fn app(
        &self,
        key: &str,
        raw: RawApp,
        data: &[(String, DataSet)],
    ) -> Result<AppManifest, PackageError> {
        if raw.command.first().is_none_or(String::is_empty) {
            return Err(self.invalid(&format!("{key}.command"), "the program is missing"));
        }
        for (field, path) in [
            ("health", raw.health.as_deref()),
            ("url", raw.url.as_deref()),
            ("mcp", raw.mcp.as_deref()),
            ("computer_mcp", raw.computer_mcp.as_deref()),
        ] {
            if path.is_some_and(|path| !path.starts_with('/')) {
                return Err(self.invalid(
                    &format!("{key}.{field}"),
                    "a path that starts with / is expected",
                ));
            }
        }
        for (name, _) in raw.env.iter() {
            if !is_variable_name(name) {
                return Err(self.invalid(
                    &format!("{key}.env"),
                    format!("{name:?} is not a name of an environment variable"),
                ));
            }
        }
        self.app_databases(&format!("{key}.databases"), &raw.databases, data)?;
        Ok(AppManifest {
            command: raw.command,
            health: raw.health,
            url: raw.url.unwrap_or_else(|| "/".to_owned()),
            env: raw.env.0,
            databases: raw.databases.0,
            mcp: raw.mcp,
            computer_mcp: raw.computer_mcp,
        })
    }

    /// What an app's own manager offers must be data of the package.
    fn app_databases(
        &self,
        key: &str,
        databases: &OrderedMap<String>,
        data: &[(String, DataSet)],
    ) -> Result<(), PackageError> {
        for (name, wanted) in databases.iter() {
            self.database_name(&format!("{key}.{name}"), name)?;
            if !data.iter().any(|(_, set)| set.has(wanted)) {
                return Err(self.invalid(
                    &format!("{key}.{name}"),
                    format!("{wanted:?} is no data name of any data key"),
                ));
            }
        }
        Ok(())
    }

    /// Every text is filled once with stand-ins, so that a wrong name is found now and not in the
    /// middle of a run.
    fn placeholders(&self, package: &Package) -> Result<(), PackageError> {
        let mut common = Values::default();
        for name in [
            "harness",
            "host",
            "instance_dir",
            "instance_id",
            "package_dir",
        ] {
            common.set(name, "x");
        }
        for (_, set) in &package.data {
            for name in set.databases.keys() {
                common.set(format!("db:{name}"), "x");
                common.set(seed_placeholder(name), "x");
            }
        }
        let failed = |key: String| {
            move |source| PackageError::Placeholder {
                file: self.file.to_owned(),
                key,
                source,
            }
        };
        for (index, command) in package.setup.iter().enumerate() {
            let key = format!("setup[{index}]");
            if command.first().is_none_or(String::is_empty) {
                return Err(self.invalid(&key, "the program is missing"));
            }
            common.fill_all(command).map_err(failed(key))?;
        }
        for (name, _) in &package.apps {
            common.set(format!("port:{name}"), "1");
        }
        common.set("port", "1");
        for (name, app) in &package.apps {
            common
                .fill_all(&app.command)
                .map_err(failed(format!("apps.{name}.command")))?;
            for (variable, value) in &app.env {
                common
                    .fill(value)
                    .map_err(failed(format!("apps.{name}.env.{variable}")))?;
            }
        }
        Ok(())
    }

    fn existing_file(&self, key: &str, path: &str) -> Result<PathBuf, PackageError> {
        let relative = Path::new(path);
        if relative.is_absolute()
            || relative
                .components()
                .any(|part| part == Component::ParentDir)
        {
            return Err(self.invalid(
                key,
                format!("{path:?} leaves the package; a path inside its folder is expected"),
            ));
        }
        let full = self.dir.join(relative);
        if full.is_file() {
            Ok(full)
        } else {
            Err(self.invalid(key, format!("there is no file {path:?} in the package")))
        }
    }

    /// Keys, versions and names appear in URLs unescaped, so they must not need escaping.
    fn identifier(&self, key: &str, text: &str) -> Result<(), PackageError> {
        let fine = !text.is_empty()
            && text.len() <= 128
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
            && text.starts_with(|c: char| c.is_ascii_alphanumeric());
        if fine {
            Ok(())
        } else {
            Err(self.invalid(
                key,
                format!("{text:?} may only contain letters, digits, - _ and ."),
            ))
        }
    }

    fn duration(&self, key: &str, text: &str) -> Result<Duration, PackageError> {
        let duration: jiff::SignedDuration = text
            .parse()
            .ok()
            .filter(|_| text.ends_with(|c: char| c.is_ascii_alphabetic()))
            .ok_or_else(|| {
                self.invalid(key, format!("{text:?} is not a duration such as 90s or 2m"))
            })?;
        let duration = Duration::try_from(duration).unwrap_or(Duration::ZERO);
        if START_TIMEOUT_RANGE.contains(&duration) {
            Ok(duration)
        } else {
            Err(self.invalid(key, format!("{text} is outside of 1ms to 1h")))
        }
    }

    fn size(&self, key: &str, text: &str) -> Result<u64, PackageError> {
        const UNITS: [(&str, u64); 5] = [
            ("KiB", 1 << 10),
            ("MiB", 1 << 20),
            ("GiB", 1 << 30),
            ("TiB", 1 << 40),
            ("B", 1),
        ];
        UNITS
            .iter()
            .find_map(|(unit, factor)| {
                text.strip_suffix(unit)?
                    .trim_end()
                    .parse::<u64>()
                    .ok()?
                    .checked_mul(*factor)
            })
            .filter(|bytes| *bytes > 0)
            .ok_or_else(|| {
                self.invalid(
                    key,
                    format!("{text:?} is not a size such as 512MiB or 1GiB"),
                )
            })
    }

    fn invalid(&self, key: &str, problem: impl Into<String>) -> PackageError {
        PackageError::Invalid {
            file: self.file.to_owned(),
            key: key.to_owned(),
            problem: problem.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINIMAL: &str = "key: desk\napps:\n  web: {command: [serve, \"{port}\"]}\n";

    fn package(manifest: &str) -> Result<Package, PackageError> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("seeds")).unwrap();
        for file in ["seeds/a.sql", "seeds/b.db", "seeds/c.txt"] {
            std::fs::write(dir.path().join(file), "").unwrap();
        }
        parse(manifest, dir.path(), &dir.path().join("environment.yaml"))
    }

    #[track_caller]
    fn refused(manifest: &str) -> String {
        let error = package(manifest).unwrap_err();
        let source = std::error::Error::source(&error).map(ToString::to_string);
        format!("{error}: {}", source.unwrap_or_default())
    }

    #[test]
    fn a_minimal_package_gets_its_defaults() {
        let package = package(MINIMAL).unwrap();
        assert_eq!(
            (package.name.as_str(), package.default_version.as_str()),
            ("desk", "v1.0.0")
        );
        assert_eq!(package.default_data_key(), None);
        assert_eq!(
            (package.start_timeout, package.memory_limit),
            (Duration::from_secs(30), None)
        );
        let (name, app) = &package.apps[0];
        assert_eq!(
            (name.as_str(), app.url.as_str(), &app.health),
            ("web", "/", &None)
        );
    }

    #[test]
    fn the_last_version_is_the_default_and_apps_keep_their_order() {
        let package = package(
            "key: desk\nversions: {v9: 2026-01-01, v10: x, v1: y}\napps:\n  z: {command: [a]}\n  a: {command: [b]}\n\
             start_timeout: 2m\nlimits: {memory: 1GiB}\n",
        )
        .unwrap();
        assert_eq!(package.default_version, "v1");
        assert_eq!(
            package.versions[0],
            ("v9".to_owned(), "2026-01-01".to_owned())
        );
        assert_eq!(
            package
                .apps
                .iter()
                .map(|(name, _)| name.as_str())
                .collect::<Vec<_>>(),
            ["z", "a"]
        );
        assert_eq!(
            (package.start_timeout, package.memory_limit),
            (Duration::from_mins(2), Some(1 << 30))
        );
        assert_eq!(package.resolve_version(Some("v10")), Some("v10"));
        assert_eq!(package.resolve_version(Some("v2")), None);
    }

    #[test]
    fn data_may_be_versioned() {
        let package = package(&format!(
            "{MINIMAL}data:\n  first: {{current: seeds/a.sql}}\n  second:\n    versions:\n      v1: {{current: seeds/a.sql}}\n      \
             v2: {{current: seeds/b.db}}\n"
        ))
        .unwrap();
        let file = |key: &str, version| {
            package.databases(key, version).map(|paths| {
                paths["current"]
                    .file_name()
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned()
            })
        };
        assert_eq!(package.default_data_key(), Some("first"));
        assert_eq!(
            file("first", Some("anything")).as_deref(),
            Some("a.sql"),
            "an unversioned set answers to all"
        );
        assert_eq!(file("second", Some("v1")).as_deref(), Some("a.sql"));
        assert_eq!(file("second", None).as_deref(), Some("b.db"));
        assert_eq!(file("second", Some("v3")), None);
        assert_eq!(file("third", None), None);
    }

    #[test]
    fn mistakes_are_shown_where_they_are() {
        for (manifest, words) in [
            ("key: desk\n", vec!["apps"]),
            ("key: desk\napps: {}\n", vec!["apps", "at least one"]),
            (
                "key: desk\nkey: desk\napps: {}\n",
                vec!["line 2", "duplicate"],
            ),
            ("key: desk\nappz: {}\n", vec!["appz", "line 2"]),
            (
                "key: de/sk\napps:\n  web: {command: [a]}\n",
                vec!["key", "de/sk"],
            ),
            (
                "key: desk\napps:\n  web: {command: []}\n",
                vec!["apps.web.command", "missing"],
            ),
            (
                "key: desk\napps:\n  web: {command: serve}\n",
                vec!["line 3"],
            ),
            (
                "key: desk\napps:\n  web: {command: [a], health: x}\n",
                vec!["apps.web.health", "/"],
            ),
            (
                "key: desk\napps:\n  api: {command: [a]}\n",
                vec!["apps.api", "instance itself"],
            ),
            (
                "key: desk\napps:\n  web: {command: [\"{prot}\"]}\n",
                vec!["apps.web.command", "{prot}", "{port}"],
            ),
            (
                "key: desk\napps:\n  web: {command: [a], env: {A: \"{db:current}\"}}\n",
                vec!["apps.web.env.A", "{db:current}"],
            ),
        ] {
            let message = refused(manifest);
            for word in words {
                assert!(message.contains(word), "{word:?} is missing in: {message}");
            }
        }
        for (extra, words) in [
            ("default_version: v7\n", vec!["default_version", "v7"]),
            ("start_timeout: 30\n", vec!["start_timeout", "30"]),
            ("start_timeout: 0s\n", vec!["start_timeout", "0s"]),
            ("start_timeout: 2h\n", vec!["start_timeout", "2h"]),
            ("limits: {memory: 1GB}\n", vec!["limits.memory", "1GB"]),
            ("limits: {memroy: 1GiB}\n", vec!["memroy", "line 4"]),
            (
                "data: {d: {current: seeds/none.sql}}\n",
                vec!["data.d.current", "none.sql"],
            ),
            (
                "data: {d: {current: ../x.sql}}\n",
                vec!["data.d.current", "leaves the package"],
            ),
            (
                "data: {d: {current: seeds/c.txt}}\n",
                vec!["data.d.current", ".sql"],
            ),
            ("data: {d: {seed: seeds/a.sql}}\n", vec!["data.d.seed"]),
            ("data: {d: {}}\n", vec!["data.d", "no database"]),
            (
                "data: {d: {current: {v1: {current: seeds/a.sql}}}}\n",
                vec!["data.d.current", "versions"],
            ),
            ("setup: [[\"{port}\"]]\n", vec!["setup[0]", "{port}"]),
            ("tasks: [none.json]\n", vec!["tasks", "none.json"]),
        ] {
            let message = refused(&format!("{MINIMAL}{extra}"));
            for word in words {
                assert!(message.contains(word), "{word:?} is missing in: {message}");
            }
        }
    }
}
