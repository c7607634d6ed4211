-- Summaries of jobs. `sessions` is a hash of what was summarised, by which the same is known.
CREATE TABLE summaries (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    job_id TEXT NOT NULL,
    model TEXT NOT NULL,
    sessions BLOB NOT NULL,
    session_count INTEGER NOT NULL,
    status TEXT NOT NULL,
    created_at TEXT NOT NULL,
    ended_at TEXT,
    text TEXT,
    reason TEXT
);
CREATE INDEX summaries_of_jobs ON summaries (job_id, seq);
CREATE INDEX summaries_that_run ON summaries (status) WHERE status = 'running';
