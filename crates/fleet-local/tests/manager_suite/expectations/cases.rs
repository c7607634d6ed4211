//! The cases in which the SDK's verdict is known to be wrong, each with what must be so for it to apply.

use std::collections::BTreeMap;

use fleet_api::manager::{Diff, FieldMismatch, Mismatch, Mismatches};
use serde_json::Value;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Helper {
    ExpectOnly,
    ExpectOnlyV2,
    ExpectExactly,
}

impl Helper {
    pub(super) const ALL: [Self; 3] = [Self::ExpectOnly, Self::ExpectOnlyV2, Self::ExpectExactly];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ExpectOnly => "expect_only",
            Self::ExpectOnlyV2 => "expect_only_v2",
            Self::ExpectExactly => "expect_exactly",
        }
    }
}

/// A fault of the SDK, by which its verdict may be the other one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Case {
    /// `expect_only` with named rows looks at those alone, and at the number of rows of tables that are not named.
    PassesRowsThatNobodyNamed,
    /// Of a modified row only the fields that changed are compared with those that are named.
    PassesUnchangedFields,
    /// A named field that the row does not have is not missed.
    PassesUnknownFields,
    /// `expect_only_v2` makes a tuple of a key's list, whose text is never that of the list that the manager sends.
    FailsKeysOfSeveralFields,
    /// `expect_only_v2` wants every field of a deleted row named, against its description.
    FailsUnnamedFieldsOfDeletedRows,
    /// A field that is part of the key must be named a second time.
    FailsKeyFieldsNotNamed,
    /// A text that holds the same JSON written otherwise is no change by the SDK's own comparison, but one by the manager's.
    FailsRewrittenJson,
}

pub(super) struct Disagreement<'a> {
    pub(super) helper: Helper,
    pub(super) changes: &'a [Value],
    pub(super) diff: &'a Diff,
    /// Whether what happened wrote a text anew that holds the same JSON.
    pub(super) rewrote_json: bool,
    /// Why it fails natively; none if it passes.
    pub(super) native: Option<&'a Mismatches>,
}

impl Disagreement<'_> {
    pub(super) fn known_case(&self) -> Option<Case> {
        match self.native {
            Some(mismatches) => self.false_pass(mismatches),
            None => self.false_failure(),
        }
    }

    fn false_pass(&self, mismatches: &Mismatches) -> Option<Case> {
        let every = |is: &dyn Fn(&Mismatch) -> bool| mismatches.iter().all(is);
        let is_unnamed_row = |mismatch: &Mismatch| match mismatch {
            Mismatch::Unexpected { table, key, .. } => !self.names(table, key),
            _ => false,
        };
        let of_fields =
            |mismatch: &Mismatch, is: &dyn Fn(&str, &Value, &FieldMismatch) -> bool| match mismatch
            {
                Mismatch::Fields {
                    table, key, fields, ..
                } => fields.iter().all(|field| is(table, key, field)),
                _ => false,
            };
        let is_unknown =
            |mismatch: &Mismatch| of_fields(mismatch, &|_, _, field| field.found.is_none());
        let is_unchanged = |mismatch: &Mismatch| {
            of_fields(mismatch, &|table, key, field| {
                !self.did_change(table, key, &field.field)
            })
        };
        let passes_rows = self.helper == Helper::ExpectOnly;
        if passes_rows && every(&is_unnamed_row) {
            Some(Case::PassesRowsThatNobodyNamed)
        } else if every(&is_unknown) {
            Some(Case::PassesUnknownFields)
        } else if every(&|mismatch| is_unchanged(mismatch) || is_unknown(mismatch)) {
            Some(Case::PassesUnchangedFields)
        } else {
            None
        }
    }

    fn false_failure(&self) -> Option<Case> {
        let some = |is: &dyn Fn(&Value) -> bool| self.changes.iter().any(is);
        let is_v2 = self.helper == Helper::ExpectOnlyV2;
        let count = |spec: &Value, name: &str| spec[name].as_array().map(Vec::len);
        let is_short = |spec: &Value| {
            let width = match spec["table"].as_str() {
                Some("items") => 4,
                Some("seats") => 3,
                _ => 2,
            };
            count(spec, "fields").is_some_and(|fields| fields < width)
        };
        if is_v2 && some(&|spec| spec["pk"].is_array()) {
            Some(Case::FailsKeysOfSeveralFields)
        } else if is_v2 && some(&|spec| spec["type"] == "delete" && is_short(spec)) {
            Some(Case::FailsUnnamedFieldsOfDeletedRows)
        } else if some(&|spec| spec["type"] == "insert" && is_short(spec)) {
            Some(Case::FailsKeyFieldsNotNamed)
        } else if self.helper != Helper::ExpectOnly && self.rewrote_json {
            Some(Case::FailsRewrittenJson)
        } else {
            None
        }
    }

    fn names(&self, table: &str, key: &Value) -> bool {
        self.changes
            .iter()
            .any(|spec| spec["table"] == table && spec["pk"] == *key)
    }

    fn did_change(&self, table: &str, key: &Value, field: &str) -> bool {
        self.diff.tables().get(table).is_some_and(|table| {
            table
                .modified_rows
                .iter()
                .any(|row| row.row_id == *key && row.changes.contains_key(field))
        })
    }
}

/// What the generated cases were like: a comparison that only ever passes compares nothing.
#[derive(Debug, Default)]
pub(super) struct Seen {
    passes: usize,
    failures: usize,
    cases: BTreeMap<Case, usize>,
}

impl Seen {
    pub(super) fn note(&mut self, passes: bool) {
        *if passes {
            &mut self.passes
        } else {
            &mut self.failures
        } += 1;
    }

    pub(super) fn note_case(&mut self, case: Case) {
        *self.cases.entry(case).or_default() += 1;
    }

    #[expect(
        clippy::print_stderr,
        reason = "what was compared is worth reading when cases are added"
    )]
    pub(super) fn check(&self) {
        eprintln!("{self:?}");
        let few = (self.passes + self.failures) / 10;
        assert!(self.passes > few && self.failures > few, "{self:?}");
    }
}
