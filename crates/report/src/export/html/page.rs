//! The page: template, style sheet and script put together under a content security policy.

use askama::Template;
use base64::{Engine, prelude::BASE64_STANDARD};
use run_record::RunRecord;
use sha2::{Digest, Sha256};

use super::{
    chart::Histogram,
    data,
    view::{CauseView, Fact, Gauge, PassKView, PhaseView, Share, VariantView, View},
};
use crate::{Summary, text};

const CSS: &str = include_str!("../../../templates/report.css");
const JS: &str = include_str!("../../../templates/report.js");

#[derive(Template)]
#[template(path = "report.html")]
struct Page {
    csp: String,
    css: &'static str,
    js: &'static str,
    data: String,
    title: String,
    name: String,
    run_id: String,
    harness_version: String,
    facts: Vec<Fact>,
    tone: &'static str,
    mark: &'static str,
    headline: String,
    exit: Option<u8>,
    notes: Vec<String>,
    gauges: Vec<Gauge>,
    total: String,
    counts: Vec<Share>,
    counts_spoken: String,
    trial_lines: Vec<String>,
    variants: Vec<VariantView>,
    histogram: Option<Histogram>,
    pass_k: Vec<PassKView>,
    pass_k_lines: Vec<String>,
    phases: Vec<PhaseView>,
    used: Vec<Fact>,
    causes: Vec<CauseView>,
    more_causes: usize,
    is_clustered: bool,
}

/// The whole page.
pub fn html(record: &RunRecord, summary: &Summary) -> Vec<u8> {
    let View {
        title,
        facts,
        tone,
        mark,
        gauges,
        counts,
        counts_spoken,
        trial_lines,
        variants,
        histogram,
        pass_k,
        pass_k_lines,
        phases,
        used,
        causes,
        more_causes,
        is_clustered,
    } = View::of(record, summary);
    let page = Page {
        csp: policy(),
        css: CSS,
        js: JS,
        data: data::embed(record, summary),
        title,
        name: record.info.name.clone(),
        run_id: record.info.run_id.to_string(),
        harness_version: record.info.harness_version.clone(),
        facts,
        tone,
        mark,
        headline: summary.verdict.headline.clone(),
        exit: summary.verdict.exit_code,
        notes: summary.verdict.notes.clone(),
        gauges,
        total: text::count(summary.all.total as u64),
        counts,
        counts_spoken,
        trial_lines,
        variants,
        histogram,
        pass_k,
        pass_k_lines,
        phases,
        used,
        causes,
        more_causes,
        is_clustered,
    };
    page.render()
        .expect("writing to memory does not fail")
        .into_bytes()
}

/// Nothing is allowed but the one script and the one style sheet of this page.
fn policy() -> String {
    format!(
        "default-src 'none'; script-src '{}'; style-src '{}'; base-uri 'none'; form-action 'none'",
        hash(JS),
        hash(CSS)
    )
}

fn hash(source: &str) -> String {
    format!("sha256-{}", BASE64_STANDARD.encode(Sha256::digest(source)))
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::fixture;

    fn render(record: &RunRecord) -> String {
        String::from_utf8(html(record, &Summary::of(record))).unwrap()
    }

    /// The page without its own style sheet and script and their hashes, which change with every touch of them.
    fn body_of(page: &str) -> String {
        let page = page.replace(CSS, "").replace(JS, "");
        let (before, rest) = page.split_once("content=\"default-src").unwrap();
        let (_, after) = rest.split_once('>').unwrap();
        format!("{before}content=\"POLICY\">{after}")
    }

    #[test]
    fn c3_nasty_values() {
        let page = body_of(&render(&fixture::nasty()));
        assert_eq!(page.matches("</script").count(), 2, "data ended an element");
        assert_eq!(page.to_lowercase().matches("<script").count(), 2);
        assert!(!page.contains("<img"));
        insta::assert_snapshot!(page);
    }

    #[test]
    fn c3_the_page_asks_for_nothing() {
        let page = render(&fixture::sample(20, 2, &["model=small", "model=large"]));
        for reference in [
            "http://",
            "https://",
            "src=",
            "url(",
            "@import",
            "style=\"",
            "innerHTML",
            "eval(",
        ] {
            assert!(!page.contains(reference), "{reference}");
        }
    }

    #[test]
    fn c3_the_policy_names_the_sources_as_they_stand_in_the_page() {
        let page = render(&fixture::sample(3, 1, &["default"]));
        for (element, hash) in [("script", hash(JS)), ("style", hash(CSS))] {
            let open = format!("<{element}>");
            let start = page.find(&open).unwrap() + open.len();
            let end = start + page[start..].find(&format!("</{element}>")).unwrap();
            assert_eq!(super::hash(&page[start..end]), hash);
            let escaped = hash.replace('+', "&#43;");
            assert!(page.contains(&hash) || page.contains(&escaped), "{hash}");
        }
    }

    #[test]
    fn c6_a_large_run_makes_a_page_of_bearable_size() {
        // Ten times as many stay below 5 MB; that takes a debug build too long for every day.
        let page = render(&fixture::sample(10_000, 1, &["default"]));
        assert!(page.len() < 3_000_000, "{} bytes", page.len());
    }
}
