//! Spreadsheets: sheets of rows of values.

use std::io::Cursor;

use calamine::{Data, Ods, Reader, Xls, Xlsb, Xlsx};
use serde_json::{Value, json};

use super::package::Package;
use crate::manager::documents::Document;

type Bytes<'bytes> = Cursor<&'bytes [u8]>;

/// Reads a spreadsheet of a format, by the end of its name.
pub(super) fn read(format: &str, bytes: &[u8]) -> Result<Document, String> {
    match format {
        "xls" => read_as::<Xls<Bytes<'_>>>(bytes),
        "xlsb" => read_as::<Xlsb<Bytes<'_>>>(bytes),
        "ods" => read_as::<Ods<Bytes<'_>>>(bytes),
        _ => read_as::<Xlsx<Bytes<'_>>>(bytes),
    }
}

fn read_as<'bytes, R>(bytes: &'bytes [u8]) -> Result<Document, String>
where
    R: Reader<Bytes<'bytes>, Error: std::fmt::Display>,
{
    let mut workbook = R::new(Cursor::new(bytes)).map_err(|error| error.to_string())?;
    let (mut texts, mut sheets) = (Vec::new(), Vec::new());
    for name in workbook.sheet_names() {
        // Charts are sheets without cells.
        let Ok(range) = workbook.worksheet_range(&name) else {
            continue;
        };
        let rows: Vec<Vec<Value>> = range
            .rows()
            .map(|row| row.iter().map(value).collect())
            .collect();
        let lines = range.rows().map(|row| {
            let cells: Vec<String> = row.iter().map(shown).collect();
            cells.join("\t").trim_end().to_owned()
        });
        texts.push(format!("{name}\n{}", lines.collect::<Vec<_>>().join("\n")));
        sheets.push(json!({"name": name, "rows": rows}));
    }
    // Older formats are no zip and say nothing of themselves.
    let mut metadata = Package::open(bytes)
        .and_then(|mut package| package.properties())
        .unwrap_or_default();
    metadata.insert("sheets".to_owned(), workbook.sheet_names().into());
    Ok(Document {
        text: texts.join("\n\n"),
        metadata,
        data: [("sheets".to_owned(), Value::Array(sheets))]
            .into_iter()
            .collect(),
    })
}

fn value(cell: &Data) -> Value {
    match cell {
        Data::Empty => Value::Null,
        Data::Int(number) => (*number).into(),
        Data::Float(number) => whole(*number).map_or_else(|| (*number).into(), Value::from),
        Data::Bool(flag) => (*flag).into(),
        other => shown(other).into(),
    }
}

/// As a person sees the cell, without its number format.
fn shown(cell: &Data) -> String {
    match cell {
        Data::Float(number) => {
            whole(*number).map_or_else(|| number.to_string(), |number| number.to_string())
        }
        Data::DateTime(moment) => {
            let (year, month, day, hour, minute, second, _) = moment.to_ymd_hms_milli();
            if hour == 0 && minute == 0 && second == 0 {
                format!("{year:04}-{month:02}-{day:02}")
            } else {
                format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
            }
        }
        other => other.to_string(),
    }
}

/// Spreadsheets know only one kind of number; 3 is not to become 3.0.
fn whole(number: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "it has no fraction and is in the range in which all are exact"
    )]
    (number.fract() == 0.0 && number.abs() < EXACT).then_some(number as i64)
}
