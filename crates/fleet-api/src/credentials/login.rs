//! The file that a login leaves in the home folder: read within limits, written so that no reader meets half of it.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use url::Url;

/// Real ones have two or three KiB.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// The domain of the hosted service.
const HOSTED: &str = "fleetai.com";

/// The result of a login, in a file: `~/.fleet/credentials.json` if nobody says otherwise.
///
/// It is the file of the official tools, and written as they write it: by `flt login` first, and by whoever refreshes
/// its token, with mode 0600 and in one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    path: PathBuf,
    /// Whether it was found, and not named by the caller.
    is_found: bool,
}

/// What is needed of the file.
#[derive(Clone)]
pub(super) struct Stored {
    pub(super) access_token: SecretString,
    pub(super) refresh_token: Option<SecretString>,
    pub(super) team_id: String,
    /// Everything that the file has, so that writing it back loses nothing.
    fields: Map<String, Value>,
}

impl Login {
    /// In this file. It is read when it is needed, not before.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            is_found: false,
        }
    }

    /// In the home folder, whether or not there is one: `~/.fleet/credentials.json`.
    ///
    /// Nobody said for whom it is, so a client shows it to the hosted service alone ([`Login::is_for`]), also when it
    /// refreshes its token. [`Login::at`] names the same file for another service.
    pub fn in_home() -> Option<Self> {
        let home = std::env::home_dir().filter(|home| !home.as_os_str().is_empty())?;
        Some(Self::found(home.join(".fleet").join("credentials.json")))
    }

    pub(crate) fn found(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            is_found: true,
        }
    }

    /// Whether it may be shown to the service at `url`.
    pub(crate) fn may_be_shown_to(&self, url: &str) -> bool {
        !self.is_found || Self::is_for(url)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there is such a file.
    pub fn exists(&self) -> bool {
        self.path.is_file()
    }

    /// Whether a login that was found, and not named by the caller, may be shown to the service at `url`: to the hosted
    /// one alone, over HTTPS. A client that is pointed somewhere else says as whom it speaks there.
    pub fn is_for(url: &str) -> bool {
        let Ok(url) = Url::parse(url.trim()) else {
            return false;
        };
        let host = url.host_str().unwrap_or_default();
        let is_hosted = host
            .strip_suffix(HOSTED)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        is_hosted && url.scheme() == "https"
    }

    /// What the file says now, or why it is of no use.
    pub(super) fn read(&self) -> Result<Stored, String> {
        let text = read_at_most(MAX_FILE_BYTES, &self.path).map_err(|error| error.to_string())?;
        let mut fields: Map<String, Value> =
            serde_json::from_str(&text).map_err(|_| "it is not a JSON object".to_owned())?;
        let mut text = |name: &str| match fields.get_mut(name) {
            Some(Value::String(text)) if !text.trim().is_empty() => Some(text.trim().to_owned()),
            _ => None,
        };
        Ok(Stored {
            access_token: text("access_token").ok_or("it has no access_token")?.into(),
            refresh_token: text("refresh_token").map(Into::into),
            team_id: text("team_id").ok_or("it has no team_id")?,
            fields,
        })
    }

    /// Replaces the file by `stored`: readers see the old one or the new one, and nobody else can read it.
    pub(super) fn write(&self, stored: &Stored) -> io::Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        // Made with mode 0600 wherever files have modes.
        let mut file = tempfile::Builder::new()
            .prefix(".credentials-")
            .suffix(".tmp")
            .tempfile_in(folder)?;
        serde_json::to_writer_pretty(&mut file, &stored.fields)?;
        file.write_all(b"\n")?;
        file.as_file().sync_all()?;
        file.persist(&self.path)?;
        Ok(())
    }

    /// Whether others than its owner can read the file.
    #[cfg(unix)]
    pub(super) fn is_open_to_others(&self) -> bool {
        use std::os::unix::fs::PermissionsExt as _;
        fs::metadata(&self.path).is_ok_and(|found| found.permissions().mode() & 0o077 != 0)
    }

    #[cfg(not(unix))]
    pub(super) fn is_open_to_others(&self) -> bool {
        false
    }
}

impl Stored {
    /// The same with new tokens.
    pub(super) fn refreshed(
        mut self,
        access: &SecretString,
        refresh: Option<&SecretString>,
    ) -> Self {
        let mut set = |name: &str, token: &SecretString| {
            let value = Value::from(token.expose_secret());
            self.fields.insert(name.to_owned(), value);
        };
        set("access_token", access);
        self.access_token = access.clone();
        if let Some(refresh) = refresh {
            set("refresh_token", refresh);
            self.refresh_token = Some(refresh.clone());
        }
        self
    }
}

fn read_at_most(limit: u64, path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?
        .take(limit + 1)
        .read_to_string(&mut text)?;
    if text.len() as u64 > limit {
        return Err(io::Error::other("it is larger than 64 KiB"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(text: &str) -> (tempfile::TempDir, Login) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credentials.json");
        fs::write(&path, text).unwrap();
        (folder, Login::at(path))
    }

    #[test]
    fn what_is_written_keeps_what_nobody_here_knows_and_is_for_its_owner_only() {
        let (_folder, login) = login(
            r#"{"access_token": "old", "refresh_token": "r1", "team_id": "t", "email": "a@b"}"#,
        );
        let stored = login.read().unwrap();
        login.write(&stored.refreshed(&"new".into(), None)).unwrap();
        let again = login.read().unwrap();
        assert_eq!(again.access_token.expose_secret(), "new");
        assert_eq!(again.refresh_token.unwrap().expose_secret(), "r1");
        assert_eq!(again.fields["email"], "a@b");
        assert!(!login.is_open_to_others());
    }

    #[test]
    fn a_login_that_was_found_is_for_the_hosted_service_alone() {
        for url in [
            crate::DEFAULT_BASE_URL,
            "https://us-west-1.fleetai.com/",
            "https://fleetai.com",
        ] {
            assert!(Login::is_for(url), "{url}");
        }
        for url in [
            "http://127.0.0.1:8080",
            "http://orchestrator.fleetai.com",
            "https://evilfleetai.com",
            "https://fleetai.com.example.org",
            "https://fleetai.com@example.org",
            "nonsense",
        ] {
            assert!(!Login::is_for(url), "{url}");
        }
    }

    #[test]
    fn a_file_of_no_use_says_why_and_shows_nothing_of_itself() {
        for (text, reason) in [
            ("hunter2", "it is not a JSON object"),
            (r#"["hunter2"]"#, "it is not a JSON object"),
            (r#"{"access_token": "hunter2"}"#, "it has no team_id"),
            (
                r#"{"team_id": "t", "access_token": " "}"#,
                "it has no access_token",
            ),
        ] {
            let (_folder, login) = login(text);
            assert_eq!(login.read().err().as_deref(), Some(reason), "{text}");
        }
        let (_folder, endless) = login(&" ".repeat(70_000));
        assert_eq!(
            endless.read().err().as_deref(),
            Some("it is larger than 64 KiB")
        );
        assert!(Login::at("/no/such/file").read().is_err());
    }
}
