/**
 * A version that has been replaced is where it has always been, in the log: `log.id` names the context that a commit
 * has written, when it is just one, and `past` leads from there to the version before; `contexts.logged` is the
 * revision that has the present version, 0 when none has it alone. `versions` has what the log has not, or no longer.
 */
export const historyInTheLog = `
ALTER TABLE log ADD COLUMN id TEXT;
ALTER TABLE log ADD COLUMN version INTEGER;
ALTER TABLE log ADD COLUMN incarnation INTEGER;
ALTER TABLE log ADD COLUMN past INTEGER;

ALTER TABLE contexts ADD COLUMN version INTEGER NOT NULL DEFAULT 0;
ALTER TABLE contexts ADD COLUMN incarnation INTEGER NOT NULL DEFAULT 0;
ALTER TABLE contexts ADD COLUMN logged INTEGER NOT NULL DEFAULT 0;
ALTER TABLE contexts ADD COLUMN past INTEGER NOT NULL DEFAULT 0;
UPDATE contexts SET version = entry ->> '$.version', incarnation = entry ->> '$.incarnation' WHERE json_valid(entry);

CREATE TABLE replaced (
  ns INTEGER NOT NULL,
  id TEXT NOT NULL,
  version INTEGER NOT NULL,
  entry TEXT NOT NULL,
  PRIMARY KEY (ns, id, version)
) WITHOUT ROWID;
INSERT OR REPLACE INTO replaced (ns, id, version, entry)
  SELECT ns, id, CAST(entry ->> '$.version' AS INTEGER), entry FROM versions WHERE json_valid(entry) ORDER BY revision;
DROP TABLE versions;
ALTER TABLE replaced RENAME TO versions;
`;
