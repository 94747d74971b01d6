/**
 * `contexts` has what is there, `versions` what was there before, `log` what has happened. The key of the log is the
 * revision, so that a commit needs no counter: the last row of the log is never removed.
 */
export const initial = `
CREATE TABLE meta (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE namespaces (
  ns INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
);

CREATE TABLE contexts (
  seq INTEGER PRIMARY KEY,
  ns INTEGER NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL,
  entry TEXT NOT NULL,
  UNIQUE (ns, id)
);

CREATE TABLE versions (
  ns INTEGER NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL,
  entry TEXT NOT NULL,
  PRIMARY KEY (ns, id, revision)
) WITHOUT ROWID;

CREATE TABLE log (
  revision INTEGER PRIMARY KEY,
  ns INTEGER NOT NULL,
  op TEXT NOT NULL,
  changes TEXT NOT NULL
);
`;
