//! Every fault of the SDK that docs/expectations.md names, on an example of it: the SDK's verdict is one, the native verdict the other.

use fleet_api::manager::IgnoreConfig;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::cases::Helper;
use super::judge;
use super::sdk::Sdk;
use super::world::{Quirk, World};

/// What is in the seed besides, what happened, and what the verifier says of it.
struct Fault {
    name: &'static str,
    more: &'static str,
    happening: &'static str,
    quirk: Quirk,
    helper: Helper,
    changes: Value,
}

impl Fault {
    fn new(name: &'static str, happening: &'static str, helper: Helper, changes: Value) -> Self {
        Self {
            name,
            more: "",
            happening,
            quirk: Quirk::None,
            helper,
            changes,
        }
    }
}

const MANY_ROWS: &str = "CREATE TABLE many(id INTEGER PRIMARY KEY, n INTEGER);
    WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n <= 1000) INSERT INTO many SELECT n, n FROM c";

/// The SDK passes what it should not.
fn false_passes() -> Vec<Fault> {
    let sold = "UPDATE items SET qty = 4 WHERE id = 1";
    let modified = |fields: Value, others: bool| json!([{"table": "items", "pk": 1, "type": "modify", "resulting_fields": fields, "no_other_changes": !others}]);
    let gone = json!({"table": "items", "pk": 2, "type": "delete"});
    let unnamed = || json!([{"table": "seats", "pk": ["F1", 1], "type": "delete"}]);
    vec![
        Fault::new(
            "a row of a table that is not named",
            sold,
            Helper::ExpectOnlyV2,
            unnamed(),
        ),
        Fault::new(
            "a row of a table that is not named, in the older form",
            sold,
            Helper::ExpectOnly,
            json!([{"table": "codes", "pk": "b", "field": "rate", "after": 3}]),
        ),
        Fault::new(
            "a row that is not named of a table that is",
            "DELETE FROM items WHERE id = 3",
            Helper::ExpectOnlyV2,
            json!([gone]),
        ),
        Fault {
            more: MANY_ROWS,
            ..Fault::new(
                "a table of more than a thousand rows",
                "UPDATE many SET n = 0 WHERE id = 7",
                Helper::ExpectOnly,
                json!([]),
            )
        },
        Fault::new(
            "a named field that did not change",
            sold,
            Helper::ExpectExactly,
            modified(json!([["qty", 4], ["name", "pencil"]]), false),
        ),
        Fault::new(
            "a named field that did not change, by the default",
            sold,
            Helper::ExpectOnlyV2,
            modified(json!([["name", "pencil"]]), true),
        ),
        Fault::new(
            "a field that does not exist",
            sold,
            Helper::ExpectExactly,
            modified(json!([["qty", 4], ["colour", "red"]]), false),
        ),
        Fault::new(
            "a row whose key is NULL",
            "INSERT INTO codes VALUES (NULL, 3)",
            Helper::ExpectOnlyV2,
            json!([{"table": "codes", "pk": null, "type": "delete"}]),
        ),
        Fault::new(
            "a second row whose key is NULL",
            "INSERT INTO codes VALUES (NULL, 3), (NULL, 4)",
            Helper::ExpectExactly,
            json!([{"table": "codes", "pk": null, "type": "insert"}]),
        ),
        Fault::new(
            "a second row with an id that nobody declared the key",
            "INSERT INTO logs VALUES (9, 'e'), (9, 'f')",
            Helper::ExpectOnlyV2,
            json!([{"table": "logs", "pk": 9, "type": "insert"}]),
        ),
        Fault::new(
            "a change that is named twice and happened once",
            "DELETE FROM items WHERE id = 2",
            Helper::ExpectExactly,
            json!([gone, gone]),
        ),
        Fault {
            quirk: Quirk::FailsQueries,
            ..Fault::new(
                "queries that failed",
                "DELETE FROM items",
                Helper::ExpectOnly,
                json!([]),
            )
        },
        Fault {
            quirk: Quirk::HidesKeyPlaces,
            ..Fault::new(
                "a key of several fields whose places are not told",
                "UPDATE seats SET holder = 'Cy' WHERE flight = 'F1' AND no = 2",
                Helper::ExpectOnly,
                json!([{"table": "seats", "pk": ["F1", 2], "field": "holder", "after": "somebody else"}]),
            )
        },
    ]
}

/// The SDK fails what is as its own documentation wants it.
fn false_failures() -> Vec<Fault> {
    let inserted = "INSERT INTO codes VALUES ('c', NULL)";
    vec![
        Fault::new(
            "a key of several fields",
            "DELETE FROM seats WHERE flight = 'F1' AND no = 1",
            Helper::ExpectOnlyV2OfDifference,
            json!([{"table": "seats", "pk": ["F1", 1], "type": "delete"}]),
        ),
        Fault::new(
            "a deleted row of which some fields are named",
            "DELETE FROM items WHERE id = 3",
            Helper::ExpectOnlyV2OfDifference,
            json!([{"table": "items", "pk": 3, "type": "delete", "fields": [["name", "ink"]]}]),
        ),
        Fault::new(
            "an inserted row whose key is not named twice",
            inserted,
            Helper::ExpectExactly,
            json!([{"table": "codes", "pk": "c", "type": "insert", "fields": [["rate", null]]}]),
        ),
        Fault::new(
            "an inserted row whose key is not named twice, by the default",
            inserted,
            Helper::ExpectOnlyV2,
            json!([{"table": "codes", "pk": "c", "type": "insert", "fields": [["rate", null]]}]),
        ),
        Fault::new(
            "a text that holds the same JSON",
            "UPDATE items SET meta = '{\"a\":1}' WHERE id = 1",
            Helper::ExpectExactly,
            json!([]),
        ),
        Fault::new(
            "a row whose key is NULL",
            "INSERT INTO codes VALUES (NULL, 3)",
            Helper::ExpectOnlyV2OfDifference,
            json!([{"table": "codes", "pk": null, "type": "insert"}]),
        ),
        Fault::new(
            "a table whose key nobody declared",
            "UPDATE logs SET text = 'd' WHERE id = 2",
            Helper::ExpectExactly,
            json!([{"table": "logs", "pk": 2, "type": "modify", "resulting_fields": [["text", "d"]], "no_other_changes": true}]),
        ),
    ]
}

#[test]
fn every_fault_of_the_sdk_that_is_named_is_one() {
    let Some(mut sdk) = Sdk::start() else {
        return;
    };
    let runtime = Runtime::new().unwrap();
    let passes = false_passes().into_iter().map(|fault| (fault, true));
    let failures = false_failures().into_iter().map(|fault| (fault, false));
    for (fault, sdk_passes) in passes.chain(failures) {
        let world = runtime.block_on(World::with(fault.more, &[fault.happening], fault.quirk));
        let changes = fault.changes.as_array().unwrap();
        let official = sdk.ask(&world.url, fault.helper, changes);
        assert_eq!(
            official.passes, sdk_passes,
            "{}: the SDK says {:?}",
            fault.name, official.says
        );
        let ignore = IgnoreConfig::default();
        // A manager that cannot answer is an error, which is no pass either.
        let native = runtime.block_on(world.manager.diff(&ignore));
        let native = native.is_ok_and(|diff| judge(&diff, fault.helper, changes).is_ok());
        assert_eq!(native, !sdk_passes, "{}", fault.name);
    }
}
