//! Documents in an instance, read by a process of their own.

use std::io::{Cursor, Write as _};
use std::path::PathBuf;

use reqwest::StatusCode;
use serde_json::{Value, json};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::support::{TestServer, entries, id, read};

fn zipped(parts: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in parts {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn docx(body: &str) -> Vec<u8> {
    zipped(&[
        (
            "word/document.xml",
            &format!("<w:document xmlns:w=\"w\"><w:body>{body}</w:body></w:document>"),
        ),
        (
            "docProps/core.xml",
            "<c xmlns:dc=\"d\"><dc:title>Q3 &amp; Q4</dc:title><dc:creator>Ada</dc:creator></c>",
        ),
    ])
}

const WORDS: &str = "<w:p><w:pPr><w:pStyle w:val=\"Heading1\"/></w:pPr><w:r><w:t>Sales &amp; more</w:t></w:r></w:p>\
    <w:tbl><w:tr><w:tc><w:p><w:r><w:t>a</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>b</w:t></w:r></w:p></w:tc></w:tr></w:tbl>\
    <w:p><w:r><w:t>end</w:t></w:r></w:p>";

/// A workbook of one sheet with these rows.
fn workbook(rows: &str) -> Vec<u8> {
    const OFFICE: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    const PACKAGE: &str = "http://schemas.openxmlformats.org/package/2006";
    let relations = |kind: &str, target: &str| {
        format!(
            "<Relationships xmlns=\"{PACKAGE}/relationships\"><Relationship Id=\"rId1\" Type=\"{OFFICE}/{kind}\" Target=\"{target}\"/></Relationships>"
        )
    };
    zipped(&[
        (
            "[Content_Types].xml",
            &format!("<Types xmlns=\"{PACKAGE}/content-types\"/>"),
        ),
        (
            "_rels/.rels",
            &relations("officeDocument", "xl/workbook.xml"),
        ),
        (
            "xl/workbook.xml",
            &format!(
                "<workbook xmlns=\"{MAIN}\" xmlns:r=\"{OFFICE}\"><sheets><sheet name=\"Orders\" sheetId=\"1\" r:id=\"rId1\"/></sheets></workbook>"
            ),
        ),
        (
            "xl/_rels/workbook.xml.rels",
            &relations("worksheet", "worksheets/sheet1.xml"),
        ),
        (
            "xl/worksheets/sheet1.xml",
            &format!("<worksheet xmlns=\"{MAIN}\"><sheetData>{rows}</sheetData></worksheet>"),
        ),
    ])
}

const ORDERS: &str = "<row r=\"1\"><c r=\"A1\" t=\"inlineStr\"><is><t>id</t></is></c><c r=\"B1\" t=\"inlineStr\"><is><t>name</t></is></c></row>\
    <row r=\"2\"><c r=\"A2\"><v>3</v></c><c r=\"B2\"><v>2.5</v></c></row>";

/// One cell at each end: a dense table of them would take hundreds of gigabytes.
const HUGE: &str = "<row r=\"1\"><c r=\"A1\"><v>1</v></c></row><row r=\"1048576\"><c r=\"XFD1048576\"><v>1</v></c></row>";

fn pptx() -> Vec<u8> {
    let slide = |text: &str| {
        format!(
            "<p:sld xmlns:p=\"p\" xmlns:a=\"a\"><a:p><a:r><a:t>{text}</a:t></a:r></a:p></p:sld>"
        )
    };
    // The order is the presentation's, not that of the names.
    zipped(&[
        (
            "ppt/presentation.xml",
            "<p:presentation xmlns:p=\"p\" xmlns:r=\"r\"><p:sldIdLst><p:sldId id=\"256\" r:id=\"rId2\"/><p:sldId id=\"257\" r:id=\"rId1\"/></p:sldIdLst></p:presentation>",
        ),
        (
            "ppt/_rels/presentation.xml.rels",
            "<Relationships><Relationship Id=\"rId1\" Target=\"slides/slide1.xml\"/><Relationship Id=\"rId2\" Target=\"slides/slide2.xml\"/></Relationships>",
        ),
        ("ppt/slides/slide1.xml", &slide("shown last")),
        ("ppt/slides/slide2.xml", &slide("shown first")),
    ])
}

fn pdf() -> Vec<u8> {
    let content = "BT /F1 12 Tf 100 700 Td (Hello page) Tj ET";
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>".to_owned(),
        format!("<< /Length {} >>\nstream\n{content}\nendstream", content.len()),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>".to_owned(),
        "<< /Title (Report) >>".to_owned(),
    ];
    let mut file = b"%PDF-1.4\n".to_vec();
    let mut offsets = Vec::new();
    for (index, object) in objects.iter().enumerate() {
        offsets.push(file.len());
        write!(file, "{} 0 obj\n{object}\nendobj\n", index + 1).unwrap();
    }
    let table = file.len();
    write!(file, "xref\n0 7\n0000000000 65535 f \n").unwrap();
    for offset in offsets {
        writeln!(file, "{offset:010} 00000 n ").unwrap();
    }
    write!(
        file,
        "trailer << /Size 7 /Root 1 0 R /Info 6 0 R >>\nstartxref\n{table}\n%%EOF\n"
    )
    .unwrap();
    file
}

struct Desk {
    server: TestServer,
    manager: String,
    folder: PathBuf,
}

impl Desk {
    async fn open() -> Self {
        let server = TestServer::start().await;
        let record = server.create_default().await;
        let data = server.dir.path().join("data");
        let folder = entries(&data)
            .into_iter()
            .map(|within| within.join(id(&record)))
            .find(|folder| folder.is_dir())
            .unwrap();
        Self {
            manager: record["urls"]["manager"]["api"]
                .as_str()
                .unwrap()
                .to_owned(),
            server,
            folder,
        }
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.folder.join(name), bytes).unwrap();
    }

    async fn text(&self, body: Value) -> (StatusCode, String) {
        let request = self
            .server
            .http
            .post(format!("{}/fs/doc/text", self.manager));
        let answer = request.json(&body).send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    }

    async fn ask(&self, what: &str, path: &str) -> Value {
        let request = self
            .server
            .http
            .post(format!("{}/fs/doc/{what}", self.manager));
        let (status, answer) = read(request.json(&json!({"path": path}))).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        answer
    }
}

#[tokio::test]
async fn documents_give_their_text_what_they_say_of_themselves_and_their_parts() {
    let desk = Desk::open().await;
    for (name, bytes) in [
        ("a.docx", docx(WORDS)),
        ("a.XLSX", workbook(ORDERS)),
        ("a.pptx", pptx()),
        ("a.pdf", pdf()),
        ("a.md", b"# Title\n\ntext\n".to_vec()),
        ("a.json", b"{\"a\": [1]}".to_vec()),
    ] {
        desk.put(name, &bytes);
    }
    for (path, text) in [
        ("/a.docx", "Sales & more\na\tb\nend"),
        ("/a.XLSX", "Orders\nid\tname\n3\t2.5"),
        ("/a.pptx", "shown first\n\nshown last"),
        ("/a.pdf", "Hello page"),
        ("/a.md", "# Title\n\ntext\n"),
    ] {
        let (status, read) = desk.text(json!({"path": path})).await;
        assert_eq!((status, read.as_str()), (StatusCode::OK, text), "{path}");
    }
    let metadata = desk.ask("metadata", "/a.docx").await;
    assert_eq!(
        (
            &metadata["success"],
            &metadata["file_type"],
            &metadata["metadata"]["title"],
            &metadata["metadata"]["author"]
        ),
        (
            &json!(true),
            &json!("docx"),
            &json!("Q3 & Q4"),
            &json!("Ada")
        )
    );
    assert_eq!(
        desk.ask("metadata", "/a.pdf").await["metadata"],
        json!({"title": "Report", "pages": 1})
    );
    let rows = &desk.ask("structured", "/a.XLSX").await["data"]["sheets"][0]["rows"];
    assert_eq!(rows, &json!([["id", "name"], [3, 2.5]]));
    let words = &desk.ask("structured", "/a.docx").await["data"];
    assert_eq!(
        (&words["paragraphs"][0], &words["tables"]),
        (
            &json!({"text": "Sales & more", "style": "Heading1"}),
            &json!([[["a", "b"]]])
        )
    );
    assert_eq!(
        desk.ask("structured", "/a.json").await["data"]["value"],
        json!({"a": [1]})
    );
    desk.server.stop().await;
}

#[tokio::test]
async fn a_hostile_document_costs_its_reader_and_not_the_server() {
    let desk = Desk::open().await;
    desk.put("huge.xlsx", &workbook(HUGE));
    desk.put("deep.docx", &docx(&"<w:tbl>".repeat(300_000)));
    desk.put("bomb.docx", &docx(&"a".repeat(80 << 20)));
    desk.put(
        "nested.pdf",
        format!(
            "%PDF-1.4\n1 0 obj\n{}\nendobj\ntrailer << /Root 1 0 R >>\n%%EOF",
            "[".repeat(1 << 20)
        )
        .as_bytes(),
    );
    desk.put("wrong.pdf", b"no pdf at all");
    for path in [
        "/huge.xlsx",
        "/deep.docx",
        "/bomb.docx",
        "/wrong.pdf",
        "/missing.pdf",
        "/../a.pdf",
    ] {
        let (status, text) = desk.text(json!({"path": path})).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path}: {text}");
        let detail: Value = serde_json::from_str(&text).unwrap();
        assert!(detail["detail"].is_string(), "{path}: {text}");
        let metadata = desk.ask("metadata", path).await;
        assert_eq!(
            (&metadata["success"], &metadata["metadata"]),
            (&json!(false), &json!({})),
            "{path}"
        );
    }
    // Whatever came of it, it ended.
    desk.text(json!({"path": "/nested.pdf"})).await;
    let (status, _) = read(desk.server.http.get(format!("{}/health", desk.manager))).await;
    assert_eq!(status, StatusCode::OK);
    desk.put("a.docx", &docx(WORDS));
    let (status, text) = desk.text(json!({"path": "/a.docx", "max_size": 10})).await;
    assert!(
        status == StatusCode::BAD_REQUEST && text.contains("more than"),
        "{text}"
    );
    desk.server.stop().await;
}
