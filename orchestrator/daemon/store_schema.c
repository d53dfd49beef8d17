/* The schema, as the steps that lead to it. A step that was released is never
 * edited; a change is a new step behind it. */
#include "orchestrator/daemon/store_sql.h"

static const char *const first_schema =
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;"

    "CREATE TABLE events(seq INTEGER PRIMARY KEY AUTOINCREMENT, at_ns INTEGER NOT NULL,"
    " type TEXT NOT NULL, subject TEXT NOT NULL, data TEXT NOT NULL) STRICT;"

    "CREATE TABLE experiments(id INTEGER PRIMARY KEY AUTOINCREMENT, task TEXT NOT NULL,"
    " task_dir TEXT NOT NULL, task_digest TEXT NOT NULL, step INTEGER NOT NULL,"
    " agent TEXT NOT NULL, label TEXT, state TEXT NOT NULL, reason TEXT,"
    " created_ns INTEGER NOT NULL, ended_ns INTEGER) STRICT;"

    "CREATE TABLE versions(id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " experiment INTEGER NOT NULL REFERENCES experiments(id),"
    " parent INTEGER REFERENCES versions(id), depth INTEGER NOT NULL,"
    " hypothesis TEXT NOT NULL, snapshot TEXT NOT NULL, state TEXT NOT NULL,"
    " outcome TEXT, reason TEXT, wall_ns INTEGER, metric REAL, ticket INTEGER NOT NULL,"
    " created_ns INTEGER NOT NULL, ended_ns INTEGER) STRICT;"
    "CREATE INDEX versions_by_experiment ON versions(experiment);"
    "CREATE INDEX versions_waiting ON versions(ticket)"
    " WHERE state NOT IN ('done', 'cancelled');"

    "CREATE TABLE measurements(id INTEGER PRIMARY KEY AUTOINCREMENT, task TEXT NOT NULL,"
    " task_dir TEXT NOT NULL, task_digest TEXT NOT NULL, step INTEGER NOT NULL,"
    " state TEXT NOT NULL, outcome TEXT, reason TEXT, blocks_min INTEGER NOT NULL,"
    " blocks_max INTEGER NOT NULL, half_width REAL NOT NULL,"
    " blocks INTEGER NOT NULL, ticket INTEGER NOT NULL, created_ns INTEGER NOT NULL,"
    " ended_ns INTEGER) STRICT;"
    "CREATE INDEX measurements_waiting ON measurements(ticket)"
    " WHERE state NOT IN ('done', 'cancelled');"

    "CREATE TABLE arms(measurement INTEGER NOT NULL REFERENCES measurements(id),"
    " position INTEGER NOT NULL, kind TEXT NOT NULL,"
    " version INTEGER REFERENCES versions(id), snapshot TEXT NOT NULL,"
    " state TEXT NOT NULL, outcome TEXT, reason TEXT,"
    " PRIMARY KEY(measurement, position)) STRICT;"

    "CREATE TABLE slots(id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " measurement INTEGER NOT NULL, block INTEGER NOT NULL, position INTEGER NOT NULL,"
    " arm INTEGER NOT NULL, seed TEXT, state TEXT NOT NULL, run INTEGER,"
    " wall_ns INTEGER, metric REAL, outcome TEXT, reason TEXT,"
    " UNIQUE(measurement, block, position),"
    " FOREIGN KEY(measurement, arm) REFERENCES arms(measurement, position)) STRICT;"

    "CREATE TABLE runs(id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " version INTEGER REFERENCES versions(id),"
    " measurement INTEGER REFERENCES measurements(id), arm INTEGER NOT NULL,"
    " slot INTEGER REFERENCES slots(id), phase TEXT NOT NULL, purpose TEXT NOT NULL,"
    " state TEXT NOT NULL, pid INTEGER, start_ticks INTEGER,"
    " seed TEXT, result_sha256 TEXT, ended TEXT, wall_ns INTEGER, metric REAL, reason TEXT,"
    " created_ns INTEGER NOT NULL, ended_ns INTEGER) STRICT;"
    "CREATE INDEX runs_by_version ON runs(version);"
    "CREATE INDEX runs_by_slot ON runs(slot);"
    "CREATE INDEX runs_by_measurement ON runs(measurement);"

    "CREATE TABLE scores(id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " measurement INTEGER NOT NULL, arm INTEGER NOT NULL,"
    " version INTEGER NOT NULL REFERENCES versions(id), outcome TEXT NOT NULL, reason TEXT,"
    " document TEXT NOT NULL, created_ns INTEGER NOT NULL, UNIQUE(measurement, arm),"
    " FOREIGN KEY(measurement, arm) REFERENCES arms(measurement, position)) STRICT;"
    "CREATE INDEX scores_by_version ON scores(version);"

    "CREATE TABLE built(key TEXT PRIMARY KEY, dir TEXT NOT NULL, snapshot TEXT NOT NULL,"
    " created_ns INTEGER NOT NULL) STRICT;";

/* Runs that the machine disturbed, and what the machine was. */
static const char *const witness_schema =
    "ALTER TABLE runs ADD COLUMN outside INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE runs ADD COLUMN daemon_cpu_ns INTEGER;"
    "ALTER TABLE measurements ADD COLUMN fingerprint TEXT;";

/* Digests of the files that a run left, by their names. */
static const char *const files_of_runs =
    "CREATE TABLE run_files(run INTEGER NOT NULL REFERENCES runs(id), name TEXT NOT NULL,"
    " sha256 TEXT NOT NULL, PRIMARY KEY(run, name)) STRICT, WITHOUT ROWID;";

/* What a measurement is for ("score", "calibrate") and the time it may take. */
static const char *const kinds_and_budgets =
    "ALTER TABLE measurements ADD COLUMN kind TEXT NOT NULL DEFAULT 'score';"
    "ALTER TABLE measurements ADD COLUMN budget_s REAL;";

/* Which rule made it invalid. */
static const char *const rules = "ALTER TABLE versions ADD COLUMN rule TEXT;"
                                 "ALTER TABLE slots ADD COLUMN rule TEXT;";

/* What agents keep: the settings of an experiment, their own word on a version, keys
 * by which a repeated request is known, and every call of a model. */
static const char *const ledger =
    "ALTER TABLE experiments ADD COLUMN key TEXT;"
    "ALTER TABLE experiments ADD COLUMN sweep TEXT;"
    "ALTER TABLE experiments ADD COLUMN config TEXT;"
    "CREATE UNIQUE INDEX experiments_by_key ON experiments(key) WHERE key IS NOT NULL;"
    "CREATE INDEX experiments_by_sweep ON experiments(sweep) WHERE sweep IS NOT NULL;"
    "ALTER TABLE versions ADD COLUMN key TEXT;"
    "ALTER TABLE versions ADD COLUMN note TEXT;"
    "CREATE UNIQUE INDEX versions_by_key ON versions(experiment, key) WHERE key IS NOT NULL;"
    "CREATE TABLE calls(id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " experiment INTEGER NOT NULL REFERENCES experiments(id), number INTEGER NOT NULL,"
    " key TEXT NOT NULL, role TEXT NOT NULL, version INTEGER REFERENCES versions(id),"
    " model TEXT NOT NULL, echoed TEXT, request_sha256 TEXT NOT NULL, request TEXT NOT NULL,"
    " reply TEXT, reasoning TEXT, stop TEXT, input_tokens INTEGER NOT NULL,"
    " cached_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL,"
    " reasoning_tokens INTEGER NOT NULL, cost REAL NOT NULL, latency_ms INTEGER NOT NULL,"
    " retries INTEGER NOT NULL, error TEXT, began TEXT NOT NULL, created_ns INTEGER NOT NULL,"
    " UNIQUE(experiment, number)) STRICT;"
    /* Of a key there is one reply; of calls that failed, as many as there were. */
    "CREATE UNIQUE INDEX calls_replied ON calls(experiment, key) WHERE reply IS NOT NULL;"
    "CREATE INDEX calls_by_key ON calls(experiment, key);";

const char *const store_migrations[] = {
    first_schema, witness_schema, files_of_runs, kinds_and_budgets, rules, ledger, NULL};
