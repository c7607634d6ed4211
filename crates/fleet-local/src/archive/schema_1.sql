-- Instances that ever were. `record` is the public record, as JSON.
CREATE TABLE instances (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    run_id TEXT,
    region TEXT NOT NULL,
    status TEXT NOT NULL,
    live INTEGER NOT NULL,
    credential BLOB,
    request_id TEXT,
    created_at INTEGER NOT NULL, -- Unix seconds, for the age of request ids
    record TEXT NOT NULL
);
CREATE INDEX instances_of_runs ON instances (run_id) WHERE run_id IS NOT NULL;
CREATE INDEX instances_that_live ON instances (live) WHERE live = 1;

-- Counted up with every create, so that a run outlives the records of its instances.
CREATE TABLE runs (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id TEXT NOT NULL UNIQUE,
    total INTEGER NOT NULL,
    first_created_at TEXT NOT NULL,
    last_created_at TEXT NOT NULL
);

-- Tasks that were imported, and those of files that were changed: they stand in place of the files'.
CREATE TABLE tasks (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    project TEXT,
    modality TEXT,
    version_id TEXT NOT NULL,
    task TEXT NOT NULL
);
CREATE TABLE task_versions (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    version_id TEXT NOT NULL UNIQUE,
    key TEXT NOT NULL,
    modality TEXT,
    task TEXT NOT NULL
);
CREATE INDEX versions_of_tasks ON task_versions (key, seq);
CREATE TABLE projects (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    project TEXT NOT NULL UNIQUE,
    created_at TEXT NOT NULL
);

CREATE TABLE jobs (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    created_at TEXT NOT NULL
);
CREATE INDEX jobs_by_name ON jobs (name, seq);

CREATE TABLE sessions (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    job_id TEXT,
    task_key TEXT,
    instance_id TEXT,
    model TEXT,
    status TEXT NOT NULL,
    created_at TEXT NOT NULL,
    started_at TEXT,
    ended_at TEXT,
    execution_id TEXT,
    metadata TEXT,
    config TEXT,
    messages INTEGER NOT NULL DEFAULT 0,
    steps INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX sessions_of_jobs ON sessions (job_id, seq);
CREATE TABLE messages (
    session INTEGER NOT NULL,
    position INTEGER NOT NULL,
    message TEXT NOT NULL,
    PRIMARY KEY (session, position)
) WITHOUT ROWID;

-- Raw logs of jobs, as a traffic recorder sent them.
CREATE TABLE job_logs (
    job_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    entry TEXT NOT NULL,
    PRIMARY KEY (job_id, position)
) WITHOUT ROWID;

-- Bytes that are kept of a kind, so that no limit needs a walk through everything.
CREATE TABLE totals (kind TEXT PRIMARY KEY, bytes INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO totals VALUES ('sessions', 0), ('job_logs', 0);

-- Verifier bundles by the hash of their content; every build of one source has another hash of its zip.
CREATE TABLE bundles (
    content BLOB PRIMARY KEY,
    zip BLOB NOT NULL,
    used INTEGER NOT NULL
);
CREATE INDEX bundles_by_use ON bundles (used);
CREATE TABLE bundle_hashes (
    zip_sha256 TEXT PRIMARY KEY,
    content BLOB NOT NULL,
    used INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX bundle_hashes_by_use ON bundle_hashes (used);

CREATE TABLE executions (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    instance_id TEXT,
    key TEXT,
    bytes INTEGER NOT NULL,
    execution TEXT NOT NULL
);

-- Answers to requests that may come twice.
CREATE TABLE requests (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    caller BLOB NOT NULL,
    route TEXT NOT NULL,
    request_id TEXT NOT NULL,
    body BLOB NOT NULL,
    at INTEGER NOT NULL, -- Unix seconds
    answer TEXT NOT NULL,
    UNIQUE (caller, route, request_id)
);
