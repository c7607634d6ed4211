//! The example environment and tasks: the seeds are sound, and the tasks speak of what is in them.

use std::{collections::BTreeSet, fs};

use rusqlite::Connection;
use serde_json::Value;

use crate::common::{examples, seeded};

fn tasks(file: &str) -> Vec<Value> {
    serde_json::from_str(&fs::read_to_string(examples().join("tasks").join(file)).unwrap()).unwrap()
}

fn schema(db: &Connection) -> Vec<String> {
    let mut statement = db
        .prepare("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name")
        .unwrap();
    statement
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect()
}

fn count(db: &Connection, sql: &str) -> i64 {
    db.query_row(&format!("SELECT count(*) FROM {sql}"), [], |row| row.get(0))
        .unwrap()
}

#[test]
fn the_seeds_are_consistent() {
    let folder = tempfile::tempdir().unwrap();
    let mut schemas = Vec::new();
    for (data, tickets) in [("default", 42), ("busy", 640)] {
        let db = seeded(&folder.path().join(data), data);
        assert_eq!(count(&db, "pragma_foreign_key_check"), 0, "{data}");
        assert_eq!(count(&db, "tickets"), tickets, "{data}");
        for nonsense in [
            "tickets WHERE updated_at < created_at OR updated_at > '2026-11-16T23:59:59Z'",
            "tickets WHERE length(created_at) <> 20 OR length(updated_at) <> 20",
            "comments JOIN tickets ON tickets.id = ticket_id WHERE comments.created_at > tickets.updated_at",
            "comments JOIN tickets ON tickets.id = ticket_id WHERE comments.created_at < tickets.created_at",
            "comments WHERE author_kind = 'agent' AND author NOT IN (SELECT name FROM agents)",
            "comments WHERE author_kind = 'customer' AND author NOT IN (SELECT name FROM customers)",
            "sqlite_master WHERE name IN ('mix', 'draft')",
        ] {
            assert_eq!(count(&db, nonsense), 0, "{data}: {nonsense}");
        }
        schemas.push((
            schema(&db),
            count(&db, "agents"),
            count(&db, "tags"),
            count(&db, "articles"),
        ));
    }
    assert_eq!(schemas[0], schemas[1]);
}

#[test]
fn a_seed_gives_the_same_data_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let dump = |name: &str| {
        let db = seeded(&folder.path().join(name), "busy");
        let mut statement = db.prepare("SELECT group_concat(id || subject || coalesce(assignee_id, '-') || status || priority || updated_at) FROM tickets").unwrap();
        statement
            .query_row([], |row| row.get::<_, String>(0))
            .unwrap()
    };
    assert_eq!(dump("one"), dump("two"));
}

#[test]
fn the_tasks_are_complete_and_of_rising_difficulty() {
    let native = tasks("helpdesk.json");
    let python = tasks("helpdesk-python.json");
    assert!(native.len() >= 13 && python.len() == 3);
    let keys: BTreeSet<&str> = native
        .iter()
        .chain(&python)
        .map(|task| task["key"].as_str().unwrap())
        .collect();
    assert_eq!(keys.len(), native.len() + python.len(), "keys are unique");
    for task in native.iter().chain(&python) {
        let key = task["key"].as_str().unwrap();
        assert!(key.starts_with("helpdesk-"));
        assert_eq!(
            (&task["env_id"], &task["version"]),
            (&"helpdesk".into(), &"v1.0.0".into()),
            "{key}"
        );
        assert!(
            ["default", "busy"].contains(&task["data_id"].as_str().unwrap()),
            "{key}"
        );
        assert!(task["metadata"]["avg_steps"].is_u64(), "{key}");
    }
    let levels: Vec<usize> = native
        .iter()
        .map(|task| {
            let level = task["metadata"]["difficulty"].as_str().unwrap();
            ["easy", "medium", "hard"]
                .iter()
                .position(|known| *known == level)
                .unwrap()
        })
        .collect();
    assert!((0..3).all(|level| levels.contains(&level)));
    for task in &python {
        let source = task["verifier_func"].as_str().unwrap();
        assert!(
            source.starts_with("def verify_")
                && source.contains("final_answer: str | None = None) -> float:")
        );
    }
}

#[test]
fn every_verifier_speaks_of_tables_and_fields_that_exist() {
    let folder = tempfile::tempdir().unwrap();
    for task in tasks("helpdesk.json") {
        let key = task["key"].as_str().unwrap();
        let data = task["data_id"].as_str().unwrap();
        let path = folder.path().join(data);
        let db = if path.exists() {
            Connection::open(&path).unwrap()
        } else {
            seeded(&path, data)
        };
        let has = |table: &str, field: &str| {
            count(
                &db,
                &format!("pragma_table_info('{table}') WHERE name = '{field}'"),
            ) == 1
        };
        let verifier = &task["verifier"];
        assert_eq!(verifier["kind"], "state", "{key}");
        assert!(
            !verifier["expect"].as_array().unwrap().is_empty() || verifier["answer"].is_array(),
            "{key} would pass an agent that does nothing"
        );
        for table in verifier["ignore"]["tables"].as_array().unwrap() {
            assert!(
                count(
                    &db,
                    &format!("sqlite_master WHERE name = '{}'", table.as_str().unwrap())
                ) == 1,
                "{key}"
            );
        }
        for expected in verifier["expect"].as_array().unwrap() {
            let table = expected["table"].as_str().unwrap();
            for part in ["key", "where", "fields"] {
                for field in expected[part]
                    .as_object()
                    .into_iter()
                    .flat_map(|object| object.keys())
                {
                    assert!(has(table, field), "{key}: {table}.{field}");
                }
            }
            if expected["change"] == "update" {
                let id = expected["key"]["id"].as_i64().unwrap();
                assert_eq!(
                    count(&db, &format!("{table} WHERE id = {id}")),
                    1,
                    "{key}: {table} {id}"
                );
                for (field, value) in expected["fields"].as_object().unwrap() {
                    let text = value
                        .as_str()
                        .map_or_else(|| value.to_string(), |text| format!("'{text}'"));
                    let already = count(
                        &db,
                        &format!("{table} WHERE id = {id} AND {field} = {text}"),
                    );
                    assert_eq!(
                        already, 0,
                        "{key}: {table} {id} has this {field} from the start"
                    );
                }
            }
        }
    }
}
