//! The tables, and the way from each older form of them to today's.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::error::StateError;

/// Marks the file as ours ("flet").
const APPLICATION: i64 = 0x666c_6574;

/// Each brings the database from the version that is its index to the next. Released ones never change.
const MIGRATIONS: [&str; 2] = [include_str!("schema_1.sql"), include_str!("schema_2.sql")];

/// Brings the database up to date, or says why it is not ours to touch.
pub(super) fn migrate(connection: &mut Connection, file: &Path) -> Result<(), StateError> {
    let failed = |source| StateError::Database {
        file: file.to_owned(),
        source,
    };
    let number = |connection: &Connection, query| {
        connection
            .query_row(query, [], |row| row.get::<_, i64>(0))
            .map_err(failed)
    };
    let tables = number(connection, "SELECT count(*) FROM sqlite_master")?;
    if tables > 0 && number(connection, "PRAGMA application_id")? != APPLICATION {
        return Err(StateError::Foreign {
            file: file.to_owned(),
        });
    }
    let found = number(connection, "PRAGMA user_version")?;
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    let Some(steps) = usize::try_from(found)
        .ok()
        .and_then(|done| MIGRATIONS.get(done..))
    else {
        return Err(StateError::Newer {
            file: file.to_owned(),
            found,
            known,
        });
    };
    if steps.is_empty() {
        return Ok(());
    }
    // All of it or nothing: a server that is killed here finds the old form again.
    let mut apply = || -> rusqlite::Result<()> {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for step in steps {
            transaction.execute_batch(step)?;
        }
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", known)?;
        transaction.commit()
    };
    apply().map_err(failed)
}

/// With today's tables, for tests.
#[cfg(test)]
pub(crate) fn in_memory() -> Connection {
    let mut connection = Connection::open_in_memory().unwrap();
    migrate(&mut connection, Path::new("memory")).unwrap();
    connection
}

#[cfg(test)]
mod tests {
    use super::*;

    fn migrated() -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, Path::new("x")).unwrap();
        connection
    }

    #[test]
    fn a_second_migration_changes_nothing() {
        let mut connection = migrated();
        migrate(&mut connection, Path::new("x")).unwrap();
        let tables = connection.query_row("SELECT count(*) FROM totals", [], |row| row.get(0));
        assert_eq!(tables, Ok(2));
    }

    #[test]
    fn a_later_version_and_another_programs_file_are_refused() {
        let mut later = migrated();
        later.pragma_update(None, "user_version", 99).unwrap();
        assert!(matches!(
            migrate(&mut later, Path::new("x")),
            Err(StateError::Newer { found: 99, .. })
        ));
        let mut foreign = Connection::open_in_memory().unwrap();
        foreign.execute_batch("CREATE TABLE t (x)").unwrap();
        assert!(matches!(
            migrate(&mut foreign, Path::new("x")),
            Err(StateError::Foreign { .. })
        ));
    }
}
