//! Finds the tests in sources, and the rows that their names say they prove.
//!
//! Reads text, not syntax: a test is a function below an attribute whose path ends in `test`, wherever it stands, `proptest!` included; or a
//! line of a macro that makes tests of names, `animals! { a4_stubborn: …; }`. Sources here are formatted, so a line begins with what matters.

use crate::tidy::TextFile;

/// A test that says which rows it proves.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Proof {
    pub(super) file: String,
    pub(super) line: usize,
    pub(super) name: String,
    /// As in the table: `S6`.
    pub(super) rows: Vec<String>,
}

/// All proofs of the sources, in their order.
pub(super) fn proofs(files: &[TextFile]) -> Vec<Proof> {
    files
        .iter()
        .filter(|file| file.is("rs"))
        .flat_map(in_file)
        .collect()
}

fn in_file(file: &TextFile) -> Vec<Proof> {
    let mut found = Vec::new();
    let mut reader = Reader::default();
    for (line, text) in (1..).zip(file.text.lines()) {
        let Some(name) = reader.test(text) else {
            continue;
        };
        let rows = rows_of(name);
        if !rows.is_empty() {
            found.push(Proof {
                file: file.path.clone(),
                line,
                name: name.to_owned(),
                rows,
            });
        }
    }
    found
}

/// What the lines so far say about the next one.
#[derive(Default)]
struct Reader<'a> {
    /// The attributes above make the next function a test.
    is_test: bool,
    /// A test that nobody runs proves nothing.
    is_ignored: bool,
    /// Inside an attribute of several lines.
    in_attribute: bool,
    /// The indentation of the macro call whose lines are read.
    in_macro: Option<&'a str>,
}

impl<'a> Reader<'a> {
    /// The name of the test that begins on this line.
    fn test(&mut self, line: &'a str) -> Option<&'a str> {
        let text = line.trim();
        if self.in_attribute {
            self.in_attribute = !text.ends_with(']');
            return None;
        }
        if text.is_empty() || text.starts_with("//") {
            return None;
        }
        if let Some(attribute) = text.strip_prefix("#[") {
            self.attribute(attribute);
            return None;
        }
        let is_test = std::mem::take(&mut self.is_test);
        let runs = !std::mem::take(&mut self.is_ignored);
        if let Some(name) = function(text) {
            return (is_test && runs).then_some(name);
        }
        self.item(line, text)
    }

    fn attribute(&mut self, attribute: &str) {
        let path = attribute.split(['(', ']', ' ']).next().unwrap_or_default();
        self.is_test |= path.rsplit("::").next() == Some("test");
        self.is_ignored |= path == "ignore";
        self.in_attribute = !attribute.contains(']');
    }

    /// A line of a macro call that makes a test of its first word.
    fn item(&mut self, line: &'a str, text: &'a str) -> Option<&'a str> {
        let indentation = &line[..line.len() - line.trim_start().len()];
        match self.in_macro {
            Some(outer) if indentation == outer => self.in_macro = None,
            Some(_) => {
                let name = word(text);
                let rest = text[name.len()..].trim_start();
                let is_item = [":", "=>", ",", ";", "("]
                    .iter()
                    .any(|mark| rest.starts_with(mark));
                return (is_item && !rest.starts_with("::")).then_some(name);
            }
            None => {
                let name = word(text);
                let is_call = !name.is_empty() && text[name.len()..].starts_with("! {");
                if is_call && text.ends_with('{') {
                    self.in_macro = Some(indentation);
                }
            }
        }
        None
    }
}

/// The name of the function that a line begins.
fn function(text: &str) -> Option<&str> {
    let mut rest = text;
    for modifier in ["pub ", "pub(crate) ", "async ", "const ", "unsafe "] {
        rest = rest.strip_prefix(modifier).unwrap_or(rest);
    }
    Some(word(rest.strip_prefix("fn ")?))
}

/// The identifier that a text begins with; empty if there is none.
fn word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
    &text[..end.unwrap_or(text.len())]
}

/// The rows that a name begins with: `s6_s20_and_so_on` proves S6 and S20.
fn rows_of(name: &str) -> Vec<String> {
    let mut parts: Vec<&str> = name.split('_').collect();
    // A name that is nothing but an id says nothing about what it shows.
    parts.pop();
    parts
        .into_iter()
        .take_while(|part| is_id(part))
        .map(str::to_uppercase)
        .collect()
}

fn is_id(part: &str) -> bool {
    let number = part.strip_prefix(['s', 'a', 'k', 'v', 'p', 'c', 'x']);
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(usize, String, String)> {
        let file = TextFile {
            path: "a.rs".to_owned(),
            text: text.to_owned(),
        };
        in_file(&file)
            .into_iter()
            .map(|proof| (proof.line, proof.name, proof.rows.join(" ")))
            .collect()
    }

    fn one(line: usize, name: &str, rows: &str) -> Vec<(usize, String, String)> {
        vec![(line, name.to_owned(), rows.to_owned())]
    }

    #[test]
    fn a_name_may_begin_with_several_rows() {
        assert_eq!(rows_of("s6_s20_a_lost_answer"), ["S6", "S20"]);
        assert_eq!(rows_of("a1_x"), ["A1"]);
        for none in ["s6", "send_s6_x", "s_6_x", "s6a_x", "q1_y", "_s6_x", ""] {
            assert!(rows_of(none).is_empty(), "{none}");
        }
    }

    #[test]
    fn only_tests_are_proofs() {
        assert_eq!(found("#[test]\nfn s1_x() {\n"), one(2, "s1_x", "S1"));
        let flavoured = "    #[tokio::test(flavor = \"multi_thread\")]\n    // why\n    #[expect(x, reason = \"y\")]\n    async fn k6_k9_x() {\n";
        assert_eq!(found(flavoured), one(4, "k6_k9_x", "K6 K9"));
        let several_lines = "#[tokio::test(\n    start_paused = true\n)]\nasync fn s2_x() {}\n";
        assert_eq!(found(several_lines), one(4, "s2_x", "S2"));
        for none in [
            "fn s1_x() {\n",
            "#[test]\nfn x() {}\nfn s1_x() {}\n",
            "#[cfg(test)]\nfn s1_x() {}\n",
            "// #[test]\nfn s1_x() {}\n",
            "#[test]\n#[ignore = \"by hand\"]\nfn s1_x() {}\n",
            "#[test]\nmod a {\nfn s1_x() {}\n",
        ] {
            assert!(found(none).is_empty(), "{none}");
        }
    }

    #[test]
    fn properties_and_macros_of_tests_count() {
        let property =
            "proptest! {\n    #[test]\n    fn p1_x(a in 0..3) {\n        s2_y: 1\n    }\n}\n";
        assert_eq!(found(property)[0], (3, "p1_x".to_owned(), "P1".to_owned()));
        let animals = "animals! {\n    plain: \"plain\", 1;\n    a4_stubborn: \"stubborn\", 1;\n}\nfn f() {\n    a5_x: 1\n}\n";
        assert_eq!(found(animals), one(3, "a4_stubborn", "A4"));
        let declared = "macro_rules! animals {\n    ($name:ident) => {};\n}\n";
        assert!(found(declared).is_empty());
    }
}
