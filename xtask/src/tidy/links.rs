//! Links between our own pages lead somewhere.

use std::path::Path;

use super::Violation;
use super::tracked::TextFile;

pub(super) fn check(root: &Path, files: &[TextFile]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in files.iter().filter(|file| file.is("md")) {
        let folder = root.join(&file.path);
        let folder = folder.parent().unwrap_or(root);
        for (number, target) in targets(&file.text) {
            if !folder.join(&target).exists() {
                violations.push(Violation::new(
                    format!("{}:{number}", file.path),
                    format!("the link to `{target}` leads nowhere"),
                ));
            }
        }
    }
    violations
}

/// Relative targets of links and pictures, with their lines. Code has none, even where it looks like one.
fn targets(text: &str) -> Vec<(usize, String)> {
    let mut targets = Vec::new();
    let mut in_block = false;
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        }
        if in_block {
            continue;
        }
        // Every second piece between backticks is code.
        let prose = line
            .split('`')
            .enumerate()
            .map(|(index, piece)| if index % 2 == 0 { piece } else { "x" })
            .collect::<String>();
        for (at, _) in prose.match_indices("](") {
            let target = prose[at + 2..].split([')', ' ']).next().unwrap_or_default();
            let path = target.split('#').next().unwrap_or_default();
            if !path.is_empty() && !path.contains(':') {
                targets.push((number, path.to_owned()));
            }
        }
    }
    targets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_links_to_our_own_files_count() {
        let text = "[a](docs/a.md#part) [b](https://example.org/x) [`c`](#here)\n![d](d.png \"D\") `[e](e.md)`\n```\n[f](f.md)\n```\n[g](mailto:g@example.org) [h](../h)\n";
        let expected = [(1, "docs/a.md"), (2, "d.png"), (6, "../h")];
        assert_eq!(
            targets(text),
            expected.map(|(line, path)| (line, path.to_owned()))
        );
    }

    #[test]
    fn a_link_that_leads_nowhere_is_told() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let file = |text: &str| {
            [TextFile {
                path: "src/page.md".to_owned(),
                text: text.to_owned(),
            }]
        };
        assert!(check(root, &file("[x](main.rs) [y](../Cargo.toml)")).is_empty());
        assert_eq!(
            check(root, &file("\n[x](nowhere.rs)"))[0].place,
            "src/page.md:2"
        );
    }
}
