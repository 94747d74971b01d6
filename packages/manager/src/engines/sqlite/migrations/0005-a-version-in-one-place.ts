/**
 * A version is in one place, the log, and stays there until no history needs it: `contexts` only says where. That is at
 * its revision, or at `apart`, a negative number, where the row of its revision has not it alone. So contexts are small, and
 * lie in the order of their ids, where they are looked for. What was archived goes back.
 *
 * `op` has another name: a process that has the file open with an older version of this package gets errors.
 */
export const aVersionInOnePlace = `
CREATE TABLE places (
  ns INTEGER NOT NULL,
  id TEXT NOT NULL,
  seq INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  version INTEGER NOT NULL,
  incarnation INTEGER NOT NULL,
  apart INTEGER NOT NULL,
  PRIMARY KEY (ns, id)
) WITHOUT ROWID;
INSERT INTO places
  SELECT ns, id, seq, revision, version, incarnation, iif(in_log, 0,
    (SELECT min(0, ifnull(min(revision), 0)) FROM archive) - row_number() OVER (PARTITION BY in_log ORDER BY seq))
  FROM contexts ORDER BY ns, id;

ALTER TABLE log RENAME COLUMN op TO op_id;
INSERT OR IGNORE INTO log
  SELECT revision, ns, 0, 0, id, NULL, version, incarnation, past, '', '[]', entry FROM archive;
INSERT OR IGNORE INTO log
  SELECT iif(in_log, contexts.revision, apart), ns, 0, 0, id, NULL, contexts.version, contexts.incarnation, past, '', '[]', entry
  FROM contexts JOIN places USING (ns, id) ORDER BY 1;
DROP TABLE archive;
DROP TABLE contexts;
ALTER TABLE places RENAME TO contexts;
CREATE UNIQUE INDEX contexts_in_order ON contexts (ns, seq);
`;
