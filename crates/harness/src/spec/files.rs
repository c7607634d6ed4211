//! Paths of a spec that must exist. A relative one is looked for from the folder of the spec, then from where the
//! command was given: specs that are copied between folders and `--set` on a command line both work.

use std::path::PathBuf;

use super::diagnostic::quote;
use super::reader::{Context, Field, tidy};

/// What a path must lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    File,
    Folder,
}

/// The absolute path of something that exists; otherwise a diagnostic that names every place that was tried.
pub(super) fn existing(
    ctx: &mut Context<'_>,
    field: &Field<'_>,
    wanted: Wanted,
) -> Option<PathBuf> {
    let first = ctx.path(field)?;
    let text = ctx.string(field)?;
    let second = tidy(&ctx.current_dir.join(text));
    let mut places = vec![first];
    if !places.contains(&second) {
        places.push(second);
    }
    let found = places.iter().find(|place| match wanted {
        Wanted::File => place.is_file(),
        Wanted::Folder => place.is_dir(),
    });
    if let Some(found) = found {
        return Some(found.clone());
    }
    let (what, other) = match wanted {
        Wanted::File => ("file", "a folder"),
        Wanted::Folder => ("folder", "a file"),
    };
    let diagnostic = match places.iter().find(|place| place.exists()) {
        Some(_) => field.error(format!("{} is {other}, not a {what}", ctx.shown(field))),
        None => field.error(format!("there is no {what} {}", ctx.shown(field))),
    };
    let tried: Vec<_> = places.iter().map(|place| quote_path(place)).collect();
    ctx.report(diagnostic.note(format!("tried {}", tried.join(" and "))));
    None
}

fn quote_path(path: &std::path::Path) -> String {
    // Paths are shown whole: a cut path is of no use.
    let text = path.to_string_lossy();
    if text.chars().any(char::is_control) {
        quote(&text).to_string()
    } else {
        format!("`{text}`")
    }
}
