//! Files and documents of an instance, and its browser.

use std::fs;
use std::io::{Cursor, Write as _};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::support::{Bench, Local, example, skip};

/// A Chromium or Chrome, which `cargo xtask test` finds.
const CHROMIUM: &str = "HARNESS_TEST_CHROMIUM";

/// A letter of one paragraph, as a word processor writes it.
fn letter() -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("word/document.xml", SimpleFileOptions::default())
        .unwrap();
    let text = "<w:document xmlns:w=\"w\"><w:body><w:p><w:r><w:t>Dear Ada</w:t></w:r></w:p></w:body></w:document>";
    zip.write_all(text.as_bytes()).unwrap();
    zip.finish().unwrap().into_inner()
}

/// The desk in a package of its own, which puts two files into each instance.
fn package_with_files(bench: &Bench) -> String {
    let folder = bench.path("packages/paper");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("letter.docx"), letter()).unwrap();
    fs::write(folder.join("notes.txt"), "two\nlines\n").unwrap();
    fs::copy(
        example("environments/helpdesk/seeds/default.sql"),
        folder.join("seed.sql"),
    )
    .unwrap();
    let manifest = r#"
key: paper
name: Paper
versions: {v1: 2026-11-01}
data: {default: {current: seed.sql}}
setup: [[cp, "{package_dir}/letter.docx", "{package_dir}/notes.txt", "{instance_dir}"]]
apps:
  web: {command: ["{harness}", demo, helpdesk, --db, "{db:current}", --port, "{port}"], health: /health}
"#;
    fs::write(folder.join("environment.yaml"), manifest).unwrap();
    bench.path("packages").to_str().unwrap().to_owned()
}

#[test]
fn files_and_documents_are_read() {
    let bench = Bench::new();
    let packages = package_with_files(&bench);
    let local = Local::start(&bench, &["--environments", &packages]);
    let made = local.fleet(&bench, &["instances", "make", "paper"]);
    let made = made.expect(0).json();
    let id = made["instance_id"].as_str().unwrap();

    let cat = |args: &[&str]| local.told(&bench, &[&["files", "cat", id], args].concat());
    assert_eq!(cat(&["/notes.txt"]).expect(0).stdout, "two\nlines\n");
    assert_eq!(
        cat(&["/letter.docx", "--document"]).expect(0).stdout.trim(),
        "Dear Ada"
    );
    let target = bench.path("letter.txt");
    let path = target.to_str().unwrap();
    cat(&["/letter.docx", "--document", "--output", path]).expect(0);
    assert_eq!(fs::read_to_string(&target).unwrap().trim(), "Dear Ada");
    let json = local.fleet(&bench, &["files", "cat", id, "/letter.docx", "--document"]);
    assert_eq!(
        json.expect(0).json().as_str().map(str::trim),
        Some("Dear Ada")
    );
    cat(&["/letter.docx"]).expect(2).says(&["--document"]);
    let text = cat(&["/notes.txt", "--document"]);
    assert_eq!(text.expect(0).stdout, "two\nlines\n", "a text is its own");

    local.stop().expect(0);
}

#[test]
fn the_browser_of_an_instance_is_started_and_told() {
    let Some(chromium) = std::env::var_os(CHROMIUM) else {
        skip(
            "the_browser_of_an_instance_is_started_and_told",
            &format!("{CHROMIUM} is not set"),
        );
        return;
    };
    let bench = Bench::new();
    let local = Local::with(&bench, |command| {
        command.env("HARNESS_BROWSER", chromium);
    });
    let id = local.instance(&bench, &[]);
    let started = local.fleet(&bench, &["instances", "browser", &id, "--size", "800x600"]);
    let started = started.expect(0).json();
    let browser = started["cdp_browser_url"].as_str().unwrap();
    assert!(browser.starts_with("ws://127.0.0.1:"), "{started}");
    let told = local.told(&bench, &["instances", "browser", &id]);
    assert!(told.expect(0).stdout.contains(browser), "{}", told.stdout);
    local.stop().expect(0);
    bench.assert_nothing_alive(std::time::Duration::from_secs(5));
}
