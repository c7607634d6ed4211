//! The spec as a whole: what a person reads about every kind of mistake, and properties that hold for all specs.

use std::fmt::Write as _;
use std::path::Path;

use insta::assert_snapshot;
use proptest::prelude::*;

use super::diagnostic::Color;
use super::testing::{FULL, load, spec};
use super::tree::{Kind, Node};
use super::{LoadOptions, RunSpec, Sources};

/// What a person reads; places of this machine are replaced.
fn read(text: &str) -> String {
    read_with(text.as_bytes(), &[])
}

fn read_with(bytes: &[u8], overrides: &[&str]) -> String {
    let error =
        load(bytes, overrides, &[("SET", "the-value")]).expect_err("the spec must be refused");
    let rendered = error.render(Color::Never);
    assert!(
        !rendered.contains("the-value"),
        "a value of a variable is shown:\n{rendered}"
    );
    rendered.replace(env!("CARGO_MANIFEST_DIR"), "CRATE")
}

#[test]
fn p3_an_unknown_key_is_shown_with_the_key_that_was_meant() {
    assert_snapshot!(read(
        "version: 1
fleet: {endpoint: local, local: {environments: [.]}}
tasks:
  file: spec.yaml
  inclde: [a]
agent:
  command: [python3, agent.py]
  timeuot: 5m
  concurrency: 4
  colour: red
pass_treshold: 1
"
    ));
}

#[test]
fn all_problems_are_listed_in_the_order_of_the_file() {
    assert_snapshot!(read(
        "version: 2
name: Nightly Helpdesk
fleet: {endpoint: local, local: {environments: [nowhere]}}
tasks: {project: p, sample: {count: none}}
agent:
  command: python agent.py
  timeout: 30
  stdin: promt
trials: 0
gate: {min_pass_rate: 80%, baseline: runs/old}
report: {formats: [csv, parquet]}
"
    ));
}

#[test]
fn nothing_that_is_required_is_there() {
    assert_snapshot!(read("name: empty\nfleet: {endpoint: local}\n"));
}

#[test]
fn an_empty_file_is_no_spec() {
    assert_snapshot!(read("# nothing yet\n"));
}

#[test]
fn p4_duplicate_keys_are_shown_with_both_places() {
    assert_snapshot!(read(
        "version: 1
fleet: {endpoint: local, local: {environments: [.]}}
tasks: {file: spec.yaml}
agent:
  command: [a]
  env:
    A: one
    B: two
    A: three
  command: [b]
"
    ));
}

#[test]
fn wrong_types_say_what_they_are_and_what_is_wanted() {
    assert_snapshot!(read(
        "version: 1
name: 12
fleet: {endpoint: local, local: {environments: .}}
tasks: [a, b]
agent: {command: [a], env: [A], fleet_access: yes, inherit_env: PATH, timeout: [5], working_dir: ~}
trials: three
pass_threshold: high
limits:
"
    ));
}

#[test]
fn durations_and_sizes_need_a_unit() {
    assert_snapshot!(read(
        "version: 1
fleet: {endpoint: local, local: {environments: [.]}}
tasks: {file: spec.yaml}
agent: {command: [a], timeout: 30, grace_period: 5min, output_limit: 64, memory_limit: 4G}
environment: {heartbeat: 10s, ready_timeout: 1.5h}
retry: {initial_delay: soon}
"
    ));
}

#[test]
fn tasks_have_one_source() {
    assert_snapshot!(read(
        "version: 1
fleet: {endpoint: local, local: {environments: [.]}}
tasks:
  project: p
  keys: [a]
  include: ['crm-[']
agent: {command: [a]}
"
    ));
}

#[test]
fn the_embedded_server_needs_tasks_to_offer() {
    assert_snapshot!(read(
        "version: 1
fleet: {endpoint: local, local: {environments: [.]}}
tasks: {project: p}
agent: {command: [a]}
"
    ));
}

#[test]
fn an_unknown_placeholder_is_shown_where_it_stands() {
    assert_snapshot!(read(
        "version: 1
fleet: {endpoint: local, local: {environments: [.]}}
tasks: {file: spec.yaml}
agent:
  command: [a, '--task={task_kye} {model}', '{xyzzy}', '{\"json\": 1}']
  env: {M: '{modl}'}
matrix: {model: [small], prompt: [a]}
"
    ));
}

#[test]
fn p10_an_unset_variable_is_named_and_no_value_is_shown() {
    assert_snapshot!(read(
        "version: 1
name: ${SET}!
fleet: {endpoint: local, local: {environments: [.]}}
tasks: {file: spec.yaml}
agent: {command: [a, 'x ${SET} ${MISSING} ${OTHER:?no}'], timeout: '${SET}', env: {A: '${'}}
trials: ${SET}
"
    ));
}

#[test]
fn a_ttl_that_is_too_short_is_answered_with_the_sum() {
    assert_snapshot!(read(
        "version: 1
fleet: {endpoint: local, local: {environments: [.]}}
tasks: {file: spec.yaml}
agent: {command: [a], timeout: 1h}
environment: {ttl: 45m, ready_timeout: 5m}
"
    ));
}

const GOOD: &str = "version: 1
fleet: {endpoint: local, local: {environments: [.]}}
tasks: {file: spec.yaml}
agent: {command: [a]}
";

#[test]
fn problems_of_the_command_line_are_shown_there() {
    assert_snapshot!(read_with(
        GOOD.as_bytes(),
        &[
            "agent.timeuot=5m",
            "trials=many",
            "trials",
            "agent..name=x",
            "agent.command.3=x",
            "version.major=1",
            "agent.env={A: b",
            "agent.name=",
        ]
    ));
}

#[test]
fn the_command_line_changes_and_adds_keys() {
    let overrides = [
        "agent.timeout=5m",
        "trials=2",
        "trials=3",
        "agent.command.0=b",
        "agent.env.X=1.10",
        "limits.run_deadline=1h",
        "matrix={m: [a, b]}",
    ];
    let spec = load(GOOD.as_bytes(), &overrides, &[]).unwrap();
    assert_eq!(spec.trials, 3);
    assert_eq!(spec.agent.timeout.as_secs(), 300);
    assert_eq!(spec.agent.command[0].as_literal().as_deref(), Some("b"));
    assert_eq!(spec.agent.env[0].1.as_literal().as_deref(), Some("1.10"));
    assert_eq!(spec.limits.run_deadline.unwrap().as_secs(), 3600);
    assert_eq!(spec.matrix.variants().len(), 2);
    assert_eq!(spec.place("trials").as_deref(), Some("--set:1:8"));
}

#[test]
fn p15_text_that_is_not_yaml_is_refused_with_its_place() {
    let mut all = String::new();
    for text in [
        "version: 1\nagent: {command: [a, b}\n",
        "version: 1\nagent:\n\tcommand: [a]\n",
        "version: 1\nname: a: b\n",
        "version: 1\ntasks: {exclude: [*-flaky]}\n",
        "version: 1\n---\nversion: 1\n",
        "version: !int 1\n",
        "version: 1\n? [a, b]\n: c\n",
        "just text\n",
    ] {
        all.push_str(&read(text));
        all.push_str("=====\n");
    }
    assert_snapshot!(all);
}

#[test]
fn p15_other_encodings_are_named() {
    let utf16: Vec<u8> = "version: 1\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let with_mark: Vec<u8> = [0xff, 0xfe]
        .into_iter()
        .chain(utf16.iter().copied())
        .collect();
    assert_eq!(read_with(&utf16, &[]), read_with(&with_mark, &[]));
    let latin1 = b"version: 1\nname: caf\xe9\n";
    assert_snapshot!(format!(
        "{}=====\n{}",
        read_with(&utf16, &[]),
        read_with(latin1, &[])
    ));
}

#[test]
fn p15_a_byte_order_mark_and_windows_line_ends_change_nothing() {
    let windows = format!("\u{feff}{}", GOOD.replace('\n', "\r\n"));
    let spec = load(windows.as_bytes(), &[], &[]).unwrap();
    assert_eq!(
        spec.to_resolved_yaml(),
        load(GOOD.as_bytes(), &[], &[]).unwrap().to_resolved_yaml()
    );
    assert_eq!(
        spec.place("agent.command[0]").as_deref(),
        Some("spec.yaml:4:19")
    );
    let wrong = windows.replace("[a]", "[a], timeout: 5x");
    assert_snapshot!(read(&wrong));
}

#[test]
fn p1_p2_bombs_and_deep_nesting_are_refused_quickly() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..10 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        writeln!(bomb, "a{level}: &a{level} [{aliases}]").unwrap();
    }
    let started = std::time::Instant::now();
    let bomb = read(&bomb);
    assert!(
        bomb.contains("values after its aliases are followed"),
        "{bomb}"
    );
    for deep in [
        "[".repeat(100_000),
        format!("{}1{}", "{a: ".repeat(90), "}".repeat(90)),
    ] {
        let deep = read(&deep);
        assert!(deep.contains("nested deeper than 16 levels"), "{deep}");
    }
    let long_key = format!("{}=1", vec!["a"; 100_000].join("."));
    assert!(read_with(GOOD.as_bytes(), &[&long_key]).contains("too many parts"));
    // Generous, because the machine may be busy; without limits this would never end.
    assert!(started.elapsed().as_secs() < 30);
}

#[test]
fn p2_a_file_beyond_its_limit_is_refused() {
    let mut folder = tempfile::NamedTempFile::new().unwrap();
    // Sparse: as long as a disk image, and takes no space.
    folder
        .as_file_mut()
        .set_len(64 * 1024 * 1024 * 1024)
        .unwrap();
    let options = LoadOptions {
        overrides: &[],
        lookup: &|_| None,
        current_dir: Path::new("/"),
    };
    let error = RunSpec::load(folder.path(), &options).unwrap_err();
    let rendered = error.render(Color::Never);
    assert!(rendered.contains("larger than 32 MiB"), "{rendered}");
}

#[test]
fn p9_words_that_look_like_something_else_stay_what_was_written() {
    let written = "A: no, B: 1e3, C: 012, D: 1.10, E: on, F: 1_000, G: 0x1F, H: true";
    let spec = load(
        GOOD.replace("[a]", &format!("[a], env: {{{written}}}"))
            .as_bytes(),
        &[],
        &[],
    )
    .unwrap();
    let read: Vec<String> = spec
        .agent
        .env
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.as_literal().unwrap()))
        .collect();
    assert_eq!(read.join(", "), written);
    // Where a number would be another text, the message says how to keep it.
    let named = format!("{GOOD}name: 1e3\n");
    assert!(read_with(named.as_bytes(), &[]).contains("\"1e3\""));
    let named = format!("{GOOD}name: 012\n");
    assert_eq!(load(named.as_bytes(), &[], &[]).unwrap().name, "012");
}

#[test]
fn p10_a_value_is_not_looked_into_again() {
    let text = GOOD.replace("[a]", "[a], env: {X: 'x ${A}'}");
    let variables = [("A", "${B} $$ {model}"), ("B", "never")];
    let spec = load(text.as_bytes(), &[], &variables).unwrap();
    let value = spec.agent.env[0].1.render(|_| None).unwrap();
    assert_eq!(value, "x ${B} $$ {model}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let options = LoadOptions {
        overrides: &[],
        lookup: &|_| None,
        current_dir: Path::new("/"),
    };
    let error = RunSpec::load(Path::new("no-such-folder/spec.yaml"), &options).unwrap_err();
    assert_snapshot!(error.render(Color::Never));
    let error = RunSpec::load(Path::new("/"), &options).unwrap_err();
    assert!(error.diagnostics[0].message.starts_with("cannot read `/`"));
}

#[test]
fn the_resolved_spec_is_complete() {
    let yaml = spec(FULL)
        .to_resolved_yaml()
        .replace(env!("CARGO_MANIFEST_DIR"), "CRATE");
    assert_snapshot!(yaml);
    assert_snapshot!(
        spec("")
            .to_resolved_yaml()
            .replace(env!("CARGO_MANIFEST_DIR"), "CRATE")
    );
}

#[test]
fn the_resolved_spec_reads_as_the_same_run() {
    for text in [
        FULL,
        "",
        "tasks: {file: spec.yaml, limit: 3}",
        "agent: {command: [a], working_dir: trial}",
    ] {
        assert_round_trip(&spec(text));
    }
}

fn assert_round_trip(first: &RunSpec) {
    let yaml = first.to_resolved_yaml();
    let second = load(yaml.as_bytes(), &[], &[])
        .unwrap_or_else(|error| panic!("{}\n{yaml}", error.render(Color::Never)));
    assert_eq!(yaml, second.to_resolved_yaml());
    assert_eq!(first.digest(), second.digest());
    assert_eq!(
        (&first.name, &first.fleet, &first.tasks, &first.matrix),
        (&second.name, &second.fleet, &second.tasks, &second.matrix)
    );
    assert_eq!(
        (&first.environment, first.trials, &first.report),
        (&second.environment, second.trials, &second.report)
    );
    let words = |spec: &RunSpec| {
        let words = spec
            .agent
            .command
            .iter()
            .chain(spec.agent.env.iter().map(|(_, value)| value));
        words
            .map(|word| word.render(|name| Some(format!("<{name}>"))).unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(words(first), words(&second));
}

#[test]
fn every_example_is_valid() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let lookup = |name: &str| (name == "FLEET_API_KEY").then(|| "sk_test".to_owned());
    let options = LoadOptions {
        overrides: &[],
        lookup: &lookup,
        current_dir: &root,
    };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(root.join("configs")).unwrap() {
        let path = entry.unwrap().path();
        let spec = RunSpec::load(&path, &options)
            .unwrap_or_else(|error| panic!("{}", error.render(Color::Never)));
        assert!(
            spec.warnings.is_empty(),
            "{}",
            spec.render_warnings(Color::Never)
        );
        assert_eq!(path.file_stem().unwrap().to_str(), Some(spec.name.as_str()));
        names.push(spec.name);
    }
    names.sort();
    assert_eq!(
        names,
        ["ci-gate", "matrix", "nightly", "pass-at-k", "quickstart"]
    );
}

/// The tree as the other parser would show it.
fn as_value(node: &Node) -> serde_yaml::Value {
    use serde_yaml::Value;
    match &node.kind {
        Kind::Null => Value::Null,
        Kind::Bool(value) => Value::from(*value),
        Kind::Int(value) => Value::from(i64::try_from(*value).unwrap()),
        Kind::Float(value) => Value::from(*value),
        Kind::String(value) => Value::from(value.as_str()),
        Kind::Seq(items) => items.iter().map(as_value).collect(),
        Kind::Map(entries) => Value::Mapping(
            entries
                .iter()
                .map(|entry| (Value::from(entry.key.as_str()), as_value(&entry.value)))
                .collect(),
        ),
    }
}

fn tree_of(text: &str) -> serde_yaml::Value {
    let mut sources = Sources::default();
    let source = sources.add("test", text);
    let mut diagnostics = Vec::new();
    let node = super::tree::parse(&sources, source, 0, &mut diagnostics)
        .unwrap_or_else(|| panic!("{diagnostics:?}\n{text}"));
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    as_value(&node)
}

/// Documents as people write them, from values that both parsers must read alike.
fn document() -> impl Strategy<Value = serde_yaml::Value> {
    use serde_yaml::Value;
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        (-1_000_000_i32..1_000_000).prop_map(|number| Value::from(f64::from(number) / 64.0)),
        "[ -~é\\n]{0,12}".prop_map(Value::from),
        prop::sample::select(vec![
            "yes", "no", "on", "012", "1_000", "0x1F", "~", "null", "1.10", "<<", "- a", "a: b",
            "#", "*a", "&a", "!a", "1e3", ".nan", "''"
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Sequence),
            prop::collection::btree_map("[a-z][a-z0-9_-]{0,8}", inner, 0..4).prop_map(|map| {
                Value::Mapping(
                    map.into_iter()
                        .map(|(key, value)| (Value::from(key), value))
                        .collect(),
                )
            }),
        ]
    })
}

prop_compose! {
    fn valid_spec()(
        name in "[a-z0-9-]{1,40}",
        words in prop::collection::vec("[ -|~]{0,12}|é|-|\\{model\\}", 1..5),
        env in prop::collection::btree_map("[A-Z_][A-Z0-9_]{0,5}", "[ -z]{0,10}", 0..4),
        keys in prop::collection::btree_set("[ -~]{1,12}", 1..5),
        values in prop::collection::btree_set("[ -~]{0,6}", 1..4),
        times in (1_u64..100_000, 0_u64..600_000, 30_u64..3600),
        counts in (1_u32..100, 1_u32..50, 1_u32..20),
        rates in (1_u32..=100, prop::option::of(0_u32..=100)),
        size in prop::option::of(1_u64..u64::MAX),
        trial_dir in any::<bool>(),
    ) -> String {
        use serde_yaml::Value;
        let text = |text: &String| Value::from(text.replace('$', "$$"));
        // The words may hold placeholders; everything else in them has its braces doubled.
        let word = |word: &String| if word == "{model}" { Value::from(word.as_str()) } else {
            Value::from(word.replace('$', "$$").replace('{', "{{").replace('}', "}}"))
        };
        let mut command: Vec<_> = words.iter().map(word).collect();
        command.insert(0, Value::from("program"));
        let env: Value = Value::Mapping(env.iter().filter(|(name, _)| !redact::names_a_secret(name)).map(|(name, value)| (Value::from(name.as_str()), word(value))).collect());
        let tree = super::resolved::map([
            ("version", Value::from(1)),
            ("name", Value::from(name)),
            ("fleet", super::resolved::map([("endpoint", Value::from("local")), ("local", super::resolved::map([
                ("environments", Value::Sequence(vec![Value::from(".")])),
                ("tasks", Value::Sequence(vec![Value::from("spec.yaml")])),
            ]))])),
            ("tasks", super::resolved::map([("keys", keys.iter().map(text).collect())])),
            ("matrix", super::resolved::map([("model", values.iter().map(text).collect())])),
            ("agent", {
                let mut agent = super::resolved::map([
                    ("command", Value::Sequence(command)),
                    ("env", env),
                    ("timeout", Value::from(format!("{}s", times.0))),
                    ("grace_period", Value::from(format!("{}ms", times.1))),
                    ("working_dir", Value::from(if trial_dir { "trial" } else { "." })),
                ]);
                super::resolved::set(&mut agent, "memory_limit", size.map(|size| Value::from(format!("{size}B"))));
                agent
            }),
            ("environment", super::resolved::map([("heartbeat", Value::from(format!("{}s", times.2)))])),
            ("concurrency", super::resolved::map([("environments", Value::from(counts.0)), ("agents", Value::from(counts.1))])),
            ("trials", Value::from(counts.2)),
            ("pass_threshold", Value::from(f64::from(rates.0) / 100.0)),
            ("gate", {
                let mut gate = super::resolved::map([]);
                super::resolved::set(&mut gate, "min_pass_rate", rates.1.map(|rate| Value::from(f64::from(rate) / 100.0)));
                gate
            }),
        ]);
        serde_yaml::to_string(&tree).unwrap()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn any_valid_spec_survives_being_resolved(yaml in valid_spec()) {
        let first = load(yaml.as_bytes(), &[], &[]).map_err(|error| TestCaseError::fail(format!("{}\n{yaml}", error.render(Color::Never))))?;
        assert_round_trip(&first);
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = load(&bytes, &[], &[]).map_err(|error| error.render(Color::Never));
    }

    #[test]
    fn no_yaml_like_text_panics(text in "[\\[\\]{}:,#&*!|>'\"%@`\\-? \\n\\ta-cé$\\\\0-9<=.~]{0,80}", set in "[a-c.=\\[\\]{}:$ ]{0,20}") {
        let _ = load(text.as_bytes(), &[&set], &[]).map_err(|error| error.render(Color::Never));
    }

    #[test]
    fn a_spec_with_a_piece_replaced_does_not_panic(at in 0_usize..1400, len in 0_usize..20, piece in "[ -~\\n]{0,12}") {
        let mut text = format!("version: 1\n{FULL}");
        let at = at.min(text.len());
        let end = (at + len).min(text.len());
        text.replace_range(at..end, &piece);
        let _ = load(text.as_bytes(), &[], &[]).map_err(|error| error.render(Color::Never));
    }

    #[test]
    fn p4_p9_both_parsers_read_a_document_alike(document in document()) {
        let text = serde_yaml::to_string(&document).unwrap();
        let oracle: serde_yaml::Value = serde_yaml::from_str(&text).unwrap();
        prop_assert_eq!(tree_of(&text), oracle, "{}", text);
    }
}
