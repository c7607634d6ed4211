//! The run spec: any bytes as a file.

use std::path::Path;

use harness::spec::{
    Color, LoadOptions, RunSpec, Template, format_duration, format_size, parse_duration, parse_size,
};

pub(crate) fn target(data: &[u8]) {
    read(data);
    if let Ok(text) = std::str::from_utf8(data) {
        read_words(text);
    }
}

fn read(data: &[u8]) {
    let spec = match parse(data) {
        Ok(spec) => spec,
        Err(error) => {
            assert!(!error.diagnostics.is_empty(), "refused without a reason");
            let _ = error.render(Color::Ansi);
            return;
        }
    };
    let _ = spec.render_warnings(Color::Never);
    // What is written into the folder of a run is what `resume` reads.
    let written = spec.to_resolved_yaml();
    match parse(written.as_bytes()) {
        Ok(again) => assert_eq!(
            again.digest(),
            spec.digest(),
            "it reads as another run:\n{written}"
        ),
        Err(error) => panic!("{}\n{written}", error.render(Color::Never)),
    }
}

fn parse(data: &[u8]) -> Result<RunSpec, harness::spec::SpecError> {
    // Every variable is set, because what stands for a secret in a resolved spec is one.
    let lookup = |_: &str| Some("value-1".to_owned());
    let options = LoadOptions {
        overrides: &[],
        lookup: &lookup,
        current_dir: Path::new("/"),
    };
    RunSpec::parse("spec.yaml", Path::new("/spec.yaml"), data, &options)
}

fn read_words(text: &str) {
    if let Ok(duration) = parse_duration(text) {
        assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
    }
    if let Ok(size) = parse_size(text) {
        assert_eq!(parse_size(&format_size(size)), Ok(size));
    }
    if let Ok(template) = Template::parse(text) {
        let _ = template.render(|name| Some(name.to_owned()));
    }
}
