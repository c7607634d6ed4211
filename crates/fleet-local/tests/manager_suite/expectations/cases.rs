//! The cases in which the SDK's verdict is known to be wrong, each with what must be so for it to apply.

use std::collections::BTreeMap;

use fleet_api::manager::{Change, Diff, FieldMismatch, Mismatch, Mismatches, ModifiedRow};
use serde_json::Value;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Helper {
    ExpectOnly,
    /// As it is called by default: it looks at the rows that are named.
    ExpectOnlyV2,
    /// With `use_structured_diff=True`.
    ExpectOnlyV2OfDifference,
    ExpectExactly,
}

impl Helper {
    pub(super) const ALL: [Self; 4] = [
        Self::ExpectOnly,
        Self::ExpectOnlyV2,
        Self::ExpectOnlyV2OfDifference,
        Self::ExpectExactly,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ExpectOnly => "expect_only",
            Self::ExpectOnlyV2 | Self::ExpectOnlyV2OfDifference => "expect_only_v2",
            Self::ExpectExactly => "expect_exactly",
        }
    }

    pub(super) fn takes_the_managers_difference(self) -> bool {
        matches!(self, Self::ExpectOnlyV2OfDifference | Self::ExpectExactly)
    }
}

/// A fault of the SDK, by which its verdict may be the other one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Case {
    /// Without the manager's difference only the rows that are named are looked at, and at the number of rows of tables that are not named.
    PassesRowsThatNobodyNamed,
    /// Without the manager's difference a row whose key is NULL is looked for by `= NULL`, which finds none.
    PassesKeysOfNull,
    /// Of a modified row only the fields that changed are compared with those that are named.
    PassesUnchangedFields,
    /// One change lets every row of its key be so, though keys repeat that are NULL or that nobody declared.
    PassesRowsOfOneKey,
    /// `expect_exactly` puts changes of one row and kind under one key: of two that name it, one is not looked for.
    PassesChangesNamedTwice,
    /// A named field that the row does not have is not missed.
    PassesUnknownFields,
    /// `expect_only_v2` with the manager's difference makes a tuple of a key's list, whose text is never that of the list that the manager sends.
    FailsKeysOfSeveralFields,
    /// `expect_only_v2` with the manager's difference wants every field of a deleted row named, against its description.
    FailsUnnamedFieldsOfDeletedRows,
    /// A field that is part of the key must be named a second time.
    FailsKeyFieldsNotNamed,
    /// A text that holds the same JSON written otherwise is no change by the SDK's own comparison, but one by the manager's.
    FailsRewrittenJson,
    /// `expect_only_v2` with the manager's difference takes a `pk` of NULL for one that was not given.
    FailsKeysOfNull,
    /// A table that declares no key is taken by rowid in the manager's difference, and by `id` everywhere else.
    FailsKeysThatNobodyDeclared,
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

    /// Everything that is wrong must be something that the SDK does not see.
    fn false_pass(&self, mismatches: &Mismatches) -> Option<Case> {
        let cases: Option<Vec<Case>> = mismatches.iter().map(|one| self.overlooked(one)).collect();
        cases?.first().copied()
    }

    fn overlooked(&self, mismatch: &Mismatch) -> Option<Case> {
        let looks_at_named_rows = !self.helper.takes_the_managers_difference();
        match mismatch {
            Mismatch::Unexpected { key, .. } | Mismatch::Fields { key, .. }
                if looks_at_named_rows && key.is_null() =>
            {
                Some(Case::PassesKeysOfNull)
            }
            Mismatch::Unexpected { table, key, .. }
                if looks_at_named_rows && !self.changes.is_empty() && !self.names(table, key) =>
            {
                Some(Case::PassesRowsThatNobodyNamed)
            }
            Mismatch::Unexpected { table, key, .. } | Mismatch::Fields { table, key, .. }
                if self.names(table, key) && self.repeats(table, key) =>
            {
                Some(Case::PassesRowsOfOneKey)
            }
            Mismatch::Fields {
                table, key, fields, ..
            } => self.overlooked_fields(table, key, fields),
            Mismatch::Missing(change) => {
                let is_it = |spec: &&Value| {
                    Change::from_json(spec).is_ok_and(|other| {
                        (other.table(), other.kind()) == (change.table(), change.kind())
                            && other.key() == change.key()
                    })
                };
                let times = self.changes.iter().filter(is_it).count();
                (times > 1).then_some(Case::PassesChangesNamedTwice)
            }
            _ => None,
        }
    }

    fn overlooked_fields(
        &self,
        table: &str,
        key: &Value,
        fields: &[FieldMismatch],
    ) -> Option<Case> {
        let is_unknown = |field: &FieldMismatch| field.found.is_none();
        let is_unchanged = |field: &FieldMismatch| !self.did_change(table, key, &field.field);
        if fields.iter().all(is_unknown) {
            Some(Case::PassesUnknownFields)
        } else if fields
            .iter()
            .all(|field| is_unknown(field) || is_unchanged(field))
        {
            Some(Case::PassesUnchangedFields)
        } else {
            None
        }
    }

    fn false_failure(&self) -> Option<Case> {
        let some = |is: &dyn Fn(&Value) -> bool| self.changes.iter().any(is);
        let of_difference = self.helper.takes_the_managers_difference();
        let is_v2_of_difference = self.helper == Helper::ExpectOnlyV2OfDifference;
        let count = |spec: &Value, name: &str| spec[name].as_array().map(Vec::len);
        let is_short = |spec: &Value| {
            let width = match spec["table"].as_str() {
                Some("items") => 4,
                Some("seats") => 3,
                _ => 2,
            };
            count(spec, "fields").is_some_and(|fields| fields < width)
        };
        if is_v2_of_difference && some(&|spec| spec["pk"].is_array()) {
            Some(Case::FailsKeysOfSeveralFields)
        } else if is_v2_of_difference && some(&|spec| spec["pk"].is_null()) {
            Some(Case::FailsKeysOfNull)
        } else if of_difference && some(&|spec| spec["table"] == "logs") {
            Some(Case::FailsKeysThatNobodyDeclared)
        } else if is_v2_of_difference && some(&|spec| spec["type"] == "delete" && is_short(spec)) {
            Some(Case::FailsUnnamedFieldsOfDeletedRows)
        } else if some(&|spec| spec["type"] == "insert" && is_short(spec)) {
            Some(Case::FailsKeyFieldsNotNamed)
        } else if of_difference && self.rewrote_json {
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

    /// Whether several changed rows have this key.
    fn repeats(&self, table: &str, key: &Value) -> bool {
        self.diff.tables().get(table).is_some_and(|table| {
            let whole = table.added_rows.iter().chain(&table.removed_rows);
            let whole = whole.map(|row| (&row.row_id, &row.data));
            let modified = table.modified_rows.iter();
            let rows = whole.chain(modified.map(|row| (&row.row_id, &row.data)));
            rows.filter(|(id, data)| *id == key || data.get("id") == Some(key))
                .count()
                > 1
        })
    }

    fn did_change(&self, table: &str, key: &Value, field: &str) -> bool {
        self.diff.tables().get(table).is_some_and(|table| {
            let is_it = |row: &ModifiedRow| row.row_id == *key || row.data.get("id") == Some(key);
            table
                .modified_rows
                .iter()
                .any(|row| is_it(row) && row.changes.contains_key(field))
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
