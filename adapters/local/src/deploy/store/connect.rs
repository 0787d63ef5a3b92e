//! Opens the file: refuses what is no store or is damaged without writing a byte to it, and sets durability.

use std::fs::{self, File};
use std::io::{ErrorKind as IoKind, Read};
use std::path::Path;
use std::time::Duration;

use nephos_core::{Error, ErrorKind, Result};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::failure::{DAMAGED, Failure, Sql};
use super::schema;

const OPERATION: &str = "store.open";
/// How a SQLite file begins.
const MAGIC: &[u8] = b"SQLite format 3\0";
/// Up to this size every page is looked at when the file is opened (about 0.1 s); of a larger file only the schema.
const CHECKED_BYTES: u64 = 64 * 1024 * 1024;
/// How long a lock of another process is waited for. Only a second engine on the same folder would hold one.
const BUSY: Duration = Duration::from_secs(2);

/// The writer's connection, to a file that is whole and up to date.
pub(super) fn writer(path: &Path) -> Result<Connection> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder)
            .map_err(|error| io_error(error, "the state folder cannot be made", path))?;
    }
    check_header(path)?;
    let conn = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .map_err(|error| Failure::from(error).into_error(OPERATION, path))?;
    match prepare(&conn, path) {
        Ok(()) => Ok(conn),
        Err(failure) => Err(match failure {
            Failure::Own(error) => error.with("path", path.display()),
            failure @ Failure::Sql(_) => failure.into_error(OPERATION, path),
        }),
    }
}

fn prepare(conn: &Connection, path: &Path) -> Sql<()> {
    conn.busy_timeout(BUSY)?;
    // If the file turns out to be damaged, closing it must not write the log's pages into it.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    check_pages(conn, path)?;
    if conn.is_readonly("main")? {
        return Err(Error::new(
            ErrorKind::PermissionDenied,
            OPERATION,
            "the store's file may only be read; check its permissions or choose another state folder",
        )
        .into());
    }
    conn.pragma_update(None, "journal_mode", "WAL")?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    schema::migrate(conn)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    conn.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// A reader's connection to a file that the writer has opened.
pub(super) fn reader(path: &Path) -> Result<Connection> {
    let open = || -> rusqlite::Result<Connection> {
        let conn = Connection::open_with_flags(
            path,
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        conn.busy_timeout(BUSY)?;
        conn.pragma_update(None, "query_only", true)?;
        conn.set_prepared_statement_cache_capacity(32);
        Ok(conn)
    };
    open().map_err(|error| Failure::from(error).into_error(OPERATION, path))
}

/// SQLite would take a file of a few stray bytes for an empty database and overwrite it.
fn check_header(path: &Path) -> Result<()> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == IoKind::NotFound => return Ok(()),
        Err(error) => return Err(io_error(error, "the store's file cannot be read", path)),
    };
    let mut header = Vec::with_capacity(100);
    file.by_ref()
        .take(100)
        .read_to_end(&mut header)
        .map_err(|error| io_error(error, "the store's file cannot be read", path))?;
    if header.is_empty() {
        return Ok(());
    }
    if !looks_like_a_store(&header) {
        return Err(damaged("it does not begin like a store").with("path", path.display()));
    }
    Ok(())
}

/// What SQLite itself does not call damage, but opens for reading only, or with an error of another kind, or as other text
/// (<https://www.sqlite.org/fileformat.html>).
fn looks_like_a_store(header: &[u8]) -> bool {
    let number = |at: usize| {
        let bytes = header.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(u32::MAX, u32::from_be_bytes)
    };
    let journal = header.get(18..20);
    let (schema_format, text_encoding) = (number(44), number(56));
    header.len() == 100
        && header.starts_with(MAGIC)
        && matches!(journal, Some([1, 1] | [2, 2]))
        && schema_format <= 4
        && text_encoding <= 1
}

fn check_pages(conn: &Connection, path: &Path) -> Sql<()> {
    conn.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    if fs::metadata(path).is_ok_and(|file| file.len() > CHECKED_BYTES) {
        return Ok(());
    }
    let verdict: String = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if verdict == "ok" {
        Ok(())
    } else {
        Err(damaged(&verdict).into())
    }
}

fn damaged(reason: &str) -> Error {
    Error::new(ErrorKind::DataLoss, OPERATION, DAMAGED).with("reason", reason.replace('\n', " "))
}

fn io_error(error: std::io::Error, what: &'static str, path: &Path) -> Error {
    let kind = match error.kind() {
        IoKind::StorageFull | IoKind::QuotaExceeded => ErrorKind::ResourceExhausted,
        IoKind::PermissionDenied | IoKind::ReadOnlyFilesystem => ErrorKind::PermissionDenied,
        _ => ErrorKind::InvalidArgument,
    };
    Error::new(
        kind,
        OPERATION,
        format!("{what}; choose another with --state, or make room and permission for it"),
    )
    .with("path", path.display())
    .caused_by(error)
}
