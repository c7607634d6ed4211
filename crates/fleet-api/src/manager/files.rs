//! The files of an instance: what was written, what a file holds, what a document says.

use std::fmt;

use super::call::{Caller, Request, check_success};
use crate::error::Error;
use crate::types::manager::{
    DocumentMetadata, DocumentStructure, DocumentTextBody, FileDiff, FileDiffEntry, FilePathBody,
    FileState, FileStateBody, FileTextBody,
};

/// A handle of an instance's files; see [`Manager::files`](super::Manager::files).
#[derive(Debug, Clone)]
pub struct Files {
    caller: Caller,
}

impl Files {
    pub(super) fn new(caller: Caller) -> Self {
        Self { caller }
    }

    /// The files that were written since the instance began.
    ///
    /// # Errors
    /// [`ErrorKind::Operation`](crate::ErrorKind::Operation) when the manager cannot say.
    ///
    /// ```no_run
    /// # async fn example(manager: fleet_api::manager::Manager) -> Result<(), Box<dyn std::error::Error>> {
    /// use fleet_api::manager::FileChange;
    ///
    /// let diff = manager.files().diff().await?;
    /// diff.expect_exactly(&[FileChange::at("/data/report.csv").containing("total,42")])?;
    /// # Ok(()) }
    /// ```
    pub async fn diff(&self) -> Result<FileDiff, Error> {
        let request = Request::read("compare files", "/diff/fs", &serde_json::json!({})).long();
        let operation = request.operation();
        let answer: FileDiff = self.caller.json(request).await?;
        check_success(
            operation,
            answer.success,
            answer.error.as_deref(),
            &answer.message,
        )?;
        Ok(answer)
    }

    /// A file with its content, at most 100 KiB of it. One that does not exist is no error.
    ///
    /// ```no_run
    /// # async fn example(manager: fleet_api::manager::Manager) -> Result<(), fleet_api::Error> {
    /// let file = manager.files().state("/data/report.csv").await?;
    /// println!("{} {:?}", file.exists, file.content);
    /// # Ok(()) }
    /// ```
    pub async fn state(&self, path: &str) -> Result<FileState, Error> {
        self.state_of(&FileStateBody::new(path)).await
    }

    /// As [`Files::state`], with everything said by the caller.
    pub async fn state_of(&self, body: &FileStateBody) -> Result<FileState, Error> {
        let request = Request::read("read file", "/fs/file", body);
        let operation = request.operation();
        match self.caller.json::<FileState>(request).await {
            Ok(answer) => {
                let message = answer.message.as_deref().unwrap_or_default();
                check_success(operation, answer.success, answer.error.as_deref(), message)?;
                Ok(answer)
            }
            // Some managers say it by the status.
            Err(error) if error.status() == Some(404) => Ok(FileState {
                success: true,
                path: body.path.clone(),
                ..FileState::default()
            }),
            Err(error) => Err(error),
        }
    }

    /// The text of a file, at most 100 KiB of it.
    ///
    /// ```no_run
    /// # async fn example(manager: fleet_api::manager::Manager) -> Result<(), fleet_api::Error> {
    /// println!("{}", manager.files().text("/data/report.csv").await?);
    /// # Ok(()) }
    /// ```
    pub async fn text(&self, path: &str) -> Result<String, Error> {
        let body = FileTextBody::new(path);
        self.caller
            .text(Request::read("read file", "/fs/file/text", &body))
            .await
    }

    /// The text of a document: a PDF, a spreadsheet, a letter.
    ///
    /// ```no_run
    /// # async fn example(manager: fleet_api::manager::Manager) -> Result<(), fleet_api::Error> {
    /// println!("{}", manager.files().document_text("/data/offer.pdf").await?);
    /// # Ok(()) }
    /// ```
    pub async fn document_text(&self, path: &str) -> Result<String, Error> {
        let body = DocumentTextBody::new(path);
        self.caller
            .text(Request::read("read document", "/fs/doc/text", &body).long())
            .await
    }

    /// What a document says of itself: title, author, number of pages.
    ///
    /// ```no_run
    /// # async fn example(manager: fleet_api::manager::Manager) -> Result<(), fleet_api::Error> {
    /// println!("{:?}", manager.files().document_metadata("/data/offer.pdf").await?.metadata);
    /// # Ok(()) }
    /// ```
    pub async fn document_metadata(&self, path: &str) -> Result<DocumentMetadata, Error> {
        let body = FilePathBody {
            path: path.to_owned(),
        };
        let request = Request::read("read document", "/fs/doc/metadata", &body).long();
        let operation = request.operation();
        let answer: DocumentMetadata = self.caller.json(request).await?;
        check_success(operation, answer.success, None, "")?;
        Ok(answer)
    }

    /// The parts of a document: sheets and their cells, paragraphs, pages.
    ///
    /// ```no_run
    /// # async fn example(manager: fleet_api::manager::Manager) -> Result<(), fleet_api::Error> {
    /// println!("{:?}", manager.files().document_structure("/data/plan.xlsx").await?.data);
    /// # Ok(()) }
    /// ```
    pub async fn document_structure(&self, path: &str) -> Result<DocumentStructure, Error> {
        let body = FilePathBody {
            path: path.to_owned(),
        };
        let request = Request::read("read document", "/fs/doc/structured", &body).long();
        let operation = request.operation();
        let answer: DocumentStructure = self.caller.json(request).await?;
        check_success(operation, answer.success, None, "")?;
        Ok(answer)
    }
}

/// A file that must have been written, and what is asked of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChange {
    path: String,
    content: Option<String>,
    contained: Vec<String>,
    file_type: Option<String>,
    size: Option<u64>,
}

impl FileChange {
    /// The file at `path`, whatever it holds.
    pub fn at(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            content: None,
            contained: Vec::new(),
            file_type: None,
            size: None,
        }
    }

    /// With exactly this text. Documents are asked for by [`Files::document_text`] instead.
    pub fn content(mut self, text: impl Into<String>) -> Self {
        self.content = Some(text.into());
        self
    }

    /// With this somewhere in its text.
    pub fn containing(mut self, text: impl Into<String>) -> Self {
        self.contained.push(text.into());
        self
    }

    /// Of this type, as the manager names it.
    pub fn file_type(mut self, kind: impl Into<String>) -> Self {
        self.file_type = Some(kind.into());
        self
    }

    /// Of this many bytes.
    pub fn size(mut self, bytes: u64) -> Self {
        self.size = Some(bytes);
        self
    }

    fn misfits(&self, file: &FileDiffEntry) -> Vec<String> {
        let path = &self.path;
        let mut misfits = Vec::new();
        let wants_text = self.content.is_some() || !self.contained.is_empty();
        match &file.content {
            None if wants_text => misfits.push(format!("{path}: the manager shows no text of it")),
            None => {}
            Some(found) => {
                if self.content.as_ref().is_some_and(|wanted| wanted != found) {
                    misfits.push(format!("{path}: its text is another"));
                }
                let absent = self.contained.iter().filter(|text| !found.contains(*text));
                misfits.extend(absent.map(|text| format!("{path}: {text:?} is not in its text")));
            }
        }
        if let Some(wanted) = &self.file_type
            && *wanted != file.file_type
        {
            misfits.push(format!(
                "{path}: it is {:?} and not {wanted:?}",
                file.file_type
            ));
        }
        if let Some(wanted) = self.size
            && wanted != file.size
        {
            misfits.push(format!(
                "{path}: it has {} bytes and not {wanted}",
                file.size
            ));
        }
        misfits
    }
}

impl FileDiff {
    /// That exactly these files were written.
    ///
    /// # Errors
    /// Every file that is missing, is not named, or holds something else.
    ///
    /// ```
    /// use fleet_api::manager::{FileChange, FileDiff};
    ///
    /// let nothing = FileDiff::default();
    /// nothing.expect_exactly(&[])?;
    /// assert!(nothing.expect_exactly(&[FileChange::at("/data/report.csv")]).is_err());
    /// # Ok::<(), fleet_api::manager::FileMismatches>(())
    /// ```
    pub fn expect_exactly(&self, expected: &[FileChange]) -> Result<(), FileMismatches> {
        let missing = expected
            .iter()
            .filter(|change| self.written(change).is_none())
            .map(|change| format!("{}: it was not written", change.path));
        FileMismatches::of(self.mismatches(expected).into_iter().chain(missing))
    }

    /// That no other files were written than these, which need not have been.
    ///
    /// # Errors
    /// Every file that is not named, or holds something else.
    ///
    /// ```
    /// use fleet_api::manager::{FileChange, FileDiff};
    ///
    /// FileDiff::default().expect_only(&[FileChange::at("/data/report.csv")])?;
    /// # Ok::<(), fleet_api::manager::FileMismatches>(())
    /// ```
    pub fn expect_only(&self, allowed: &[FileChange]) -> Result<(), FileMismatches> {
        FileMismatches::of(self.mismatches(allowed))
    }

    /// What is wrong with the files that were written.
    fn mismatches(&self, named: &[FileChange]) -> Vec<String> {
        let mut mismatches = Vec::new();
        if (self.files.len() as u64) < self.total_files {
            let (listed, all) = (self.files.len(), self.total_files);
            mismatches.push(format!("only {listed} of {all} written files are listed"));
        }
        for change in named {
            mismatches.extend(
                self.written(change)
                    .into_iter()
                    .flat_map(|file| change.misfits(file)),
            );
        }
        let is_named = |file: &FileDiffEntry| named.iter().any(|change| change.path == file.path);
        let unnamed = self.files.iter().filter(|file| !is_named(file));
        mismatches.extend(unnamed.map(|file| format!("{}: it was written", file.path)));
        mismatches
    }

    fn written(&self, change: &FileChange) -> Option<&FileDiffEntry> {
        self.files.iter().find(|file| file.path == change.path)
    }
}

/// Why the files are not what was expected: every reason, at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileMismatches(Vec<String>);

impl FileMismatches {
    fn of(reasons: impl IntoIterator<Item = String>) -> Result<(), Self> {
        let reasons: Vec<_> = reasons.into_iter().collect();
        if reasons.is_empty() {
            return Ok(());
        }
        Err(Self(reasons))
    }

    /// Every reason, each with the path that it is about.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl std::error::Error for FileMismatches {}

impl fmt::Display for FileMismatches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the files are not what was expected:")?;
        self.0.iter().try_for_each(|line| write!(f, "\n- {line}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diff(files: &[(&str, &str)], total: u64) -> FileDiff {
        let entry = |(path, content): &(&str, &str)| FileDiffEntry {
            path: (*path).to_owned(),
            content: Some((*content).to_owned()),
            ..FileDiffEntry::default()
        };
        FileDiff {
            files: files.iter().map(entry).collect(),
            total_files: total,
            ..FileDiff::default()
        }
    }

    #[test]
    fn only_what_is_named_may_be_written_and_exactly_means_that_all_of_it_is() {
        let found = diff(&[("/a", "one"), ("/b", "two")], 2);
        let [a, b, c] = ["/a", "/b", "/c"].map(FileChange::at);
        found.expect_exactly(&[a.clone(), b.clone()]).unwrap();
        found
            .expect_only(&[a.clone(), b.clone(), c.clone()])
            .unwrap();
        let missing = found.expect_exactly(&[a.clone(), b, c]).unwrap_err();
        assert_eq!(
            missing.iter().collect::<Vec<_>>(),
            ["/c: it was not written"]
        );
        let unnamed = found.expect_only(&[a.content("1")]).unwrap_err();
        assert_eq!(
            unnamed.iter().collect::<Vec<_>>(),
            ["/a: its text is another", "/b: it was written"]
        );
    }

    #[test]
    fn a_list_that_was_cut_proves_nothing() {
        let cut = diff(&[("/a", "one")], 2);
        assert!(cut.expect_only(&[FileChange::at("/a")]).is_err());
    }
}
