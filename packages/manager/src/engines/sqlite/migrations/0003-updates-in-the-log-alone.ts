/**
 * An update is in the log alone, as `log.entry`, until `contexts` is brought up to date: with all up to `folded`, says
 * each row. `oldest` is the first revision that is kept. A commit that is no update of `id` has written `ids`, as JSON, or
 * all contexts. What may be large stands last: whoever does not want it does not read it.
 *
 * The columns of before have other names, or are gone: a process that has the file open with an older version of this
 * package gets errors, and not what was true once.
 */
export const updatesInTheLogAlone = `
CREATE TABLE behind (
  seq INTEGER PRIMARY KEY,
  ns INTEGER NOT NULL,
  id TEXT NOT NULL,
  revision INTEGER NOT NULL,
  version INTEGER NOT NULL,
  incarnation INTEGER NOT NULL,
  in_log INTEGER NOT NULL,
  past INTEGER NOT NULL,
  entry TEXT NOT NULL,
  UNIQUE (ns, id)
);
INSERT INTO behind SELECT seq, ns, id, revision, version, incarnation, logged = revision, past, entry FROM contexts ORDER BY seq;
DROP TABLE contexts;
ALTER TABLE behind RENAME TO contexts;

CREATE TABLE ahead (
  revision INTEGER PRIMARY KEY,
  ns INTEGER NOT NULL,
  folded INTEGER NOT NULL,
  oldest INTEGER NOT NULL,
  id TEXT,
  ids TEXT,
  version INTEGER,
  incarnation INTEGER,
  past INTEGER,
  op TEXT NOT NULL,
  changes TEXT NOT NULL,
  entry TEXT
);
INSERT INTO ahead
  SELECT revision, ns, revision, (SELECT min(revision) FROM log), id, NULL, version, incarnation, past, op,
    iif(version IS NOT NULL AND json_valid(changes), json_remove(changes, '$[#-1].entry'), changes),
    CASE WHEN version IS NOT NULL THEN iif(json_valid(changes), changes -> '$[#-1].entry', changes) END
  FROM log;
DROP TABLE log;
ALTER TABLE ahead RENAME TO log;
`;
