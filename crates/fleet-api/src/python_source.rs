//! Finds the entry point in verifier source without running it.
//!
//! The official client executes the source and takes the first function defined. This reads just
//! enough of Python (strings, comments, brackets, line joins) to find the same function; it does not
//! judge whether the source is valid.

/// The function that a verification calls.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EntryPoint {
    /// Its name.
    pub name: String,
    /// Names of the parameters that can be given by position or by keyword, in order.
    pub parameters: Vec<String>,
    /// Whether it has a `**kwargs`.
    pub takes_any_keyword: bool,
}

impl EntryPoint {
    /// The first function at the top level of `source`, plain or `async`.
    pub fn find(source: &str) -> Option<Self> {
        let code = blank_strings_and_comments(source);
        let mut depth = 0_i32;
        let mut joined = false;
        let mut offset = 0;
        for line in code.split_inclusive('\n') {
            if depth <= 0
                && !joined
                && let Some(name_at) = def_keyword(line)
            {
                return Self::read(&code[offset + name_at..]);
            }
            for c in line.chars() {
                match c {
                    '(' | '[' | '{' => depth += 1,
                    ')' | ']' | '}' => depth -= 1,
                    _ => {}
                }
            }
            joined = line.trim_end_matches(['\n', '\r']).ends_with('\\');
            offset += line.len();
        }
        None
    }

    /// Whether `name=…` can be passed to it.
    pub fn takes_keyword(&self, name: &str) -> bool {
        self.takes_any_keyword || self.parameters.iter().any(|parameter| parameter == name)
    }

    /// Reads `name(parameters` where strings and comments are blank already.
    fn read(code: &str) -> Option<Self> {
        let open = code.find('(')?;
        let name = code[..open].split('[').next()?.trim();
        if name.is_empty() || !name.chars().all(|c| c.is_alphanumeric() || c == '_') {
            return None;
        }
        let mut entry = Self {
            name: name.to_owned(),
            parameters: Vec::new(),
            takes_any_keyword: false,
        };
        for parameter in split_parameters(&code[open + 1..]) {
            let end = parameter.find([':', '=']).unwrap_or(parameter.len());
            let parameter = parameter[..end].trim();
            if parameter.starts_with("**") {
                entry.takes_any_keyword = true;
            } else if parameter == "/" {
                entry.parameters.clear();
            } else if !parameter.is_empty() && !parameter.starts_with('*') {
                entry.parameters.push(parameter.to_owned());
            }
        }
        Some(entry)
    }
}

/// Where the name starts in a line that opens a function at column 0.
fn def_keyword(line: &str) -> Option<usize> {
    let mut rest = line;
    if let Some(after) = rest.strip_prefix("async")
        && after.starts_with([' ', '\t'])
    {
        rest = after.trim_start_matches([' ', '\t']);
    }
    let after = rest.strip_prefix("def")?;
    after
        .starts_with([' ', '\t'])
        .then(|| line.len() - after.len())
}

/// The pieces between top-level commas, up to the closing bracket.
fn split_parameters(code: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut depth = 0_u32;
    let mut start = 0;
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth > 0 => depth -= 1,
            ')' => {
                pieces.push(&code[start..at]);
                break;
            }
            ',' if depth == 0 => {
                pieces.push(&code[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    pieces
}

/// `source` with the insides of strings and comments replaced by spaces, line breaks kept.
///
/// A line break inside a triple-quoted string becomes a space too, so that text inside a string
/// never looks like the start of a line.
fn blank_strings_and_comments(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(c) = rest.chars().next() {
        match c {
            '#' => {
                let end = rest.find('\n').unwrap_or(rest.len());
                rest = &rest[end..];
            }
            '"' | '\'' => {
                let end = string_end(rest, c);
                out.push(' ');
                rest = &rest[end..];
            }
            _ => {
                out.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    out
}

/// Where the string literal at the start of `code` ends. Raw strings need no care of their own: a
/// backslash before a quote keeps the string open in them as well.
fn string_end(code: &str, quote: char) -> usize {
    let triple: String = std::iter::repeat_n(quote, 3).collect();
    let is_triple = code.starts_with(&triple);
    let body = if is_triple { 3 } else { 1 };
    let mut escaped = false;
    for (at, c) in code.char_indices().skip(body) {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if is_triple {
            if code[at..].starts_with(&triple) {
                return at + 3;
            }
        } else if c == quote {
            return at + 1;
        } else if c == '\n' {
            return at;
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(source: &str) -> Option<String> {
        EntryPoint::find(source).map(|entry| entry.name)
    }

    #[test]
    fn the_first_function_at_the_top_level_is_the_entry_point() {
        for (source, expected) in [
            ("def verify(env):\n    return 1\n", Some("verify")),
            (
                "import x\n\nasync  def  grade (env): ...\ndef other(): ...",
                Some("grade"),
            ),
            (
                "class A:\n    def inner(self): ...\n\ndef outer(env): ...",
                Some("outer"),
            ),
            ("# def no(env):\ndef yes(env): ...", Some("yes")),
            ("'''\ndef no(env): ...\n'''\ndef yes(env): ...", Some("yes")),
            (
                "X = r\"\"\"\\\"\"\"\ndef no(): ...\n\"\"\"\ndef yes(): ...",
                Some("yes"),
            ),
            ("X = 'it\\'s'\ndef yes(): ...", Some("yes")),
            ("X = (\n1,\n)\ndef yes(): ...", Some("yes")),
            ("X = 1 + \\\ndef_ \ndef yes(): ...", Some("yes")),
            (
                "@verifier(key='a')\r\ndef yes(env):\r\n    pass",
                Some("yes"),
            ),
            ("default = 1\ndefine(3)\ndef yes(): ...", Some("yes")),
            ("def größe(env): ...", Some("größe")),
            ("x = 1\n", None),
            ("", None),
            ("def (", None),
        ] {
            assert_eq!(name(source).as_deref(), expected, "{source:?}");
        }
    }

    #[test]
    fn a_native_verifier_has_its_stand_in() {
        let source = crate::native_verifier::render(&serde_json::json!({"a": "def x(): '"}));
        assert_eq!(name(&source).as_deref(), Some("verify"));
    }

    #[test]
    fn parameters_tell_which_keywords_can_be_passed() {
        let read = |source| EntryPoint::find(source).unwrap();
        let plain = read("def v(env: Environment, final_answer: str | None = None) -> float: ...");
        assert_eq!(plain.parameters, ["env", "final_answer"]);
        assert!(plain.takes_keyword("final_answer") && !plain.takes_keyword("conversation"));
        assert!(!read("def v(env): ...").takes_keyword("final_answer"));
        assert!(read("def v(env, *args, **kwargs): ...").takes_keyword("final_answer"));
        assert!(
            read("def v(\n  env,\n  *,\n  final_answer=f(1, ')'),  # a, b\n): ...")
                .takes_keyword("final_answer")
        );
        assert!(!read("def v(env, final_answer, /): ...").takes_keyword("final_answer"));
        assert!(
            read("def v(env: Dict[str, int] = {'a': 1}, final_answer=''): ...")
                .takes_keyword("final_answer")
        );
    }
}
