/**
 * The statements that the engine prepares, by what they do; what opens a file is in `file.ts`. Limits that are bound have a
 * sign: without it SQLite looks at the value and prepares the statement anew each time, which takes longer than the rest of it.
 */
export const SQL = {
  begin: "BEGIN IMMEDIATE",
  commit: "COMMIT",
  contextOf: `SELECT past, entry, iif(apart, apart, contexts.revision) AS place, (SELECT max(revision) FROM log) AS head
    FROM contexts LEFT JOIN log ON log.revision = iif(apart, apart, contexts.revision)
    WHERE contexts.ns = ? AND contexts.id = ?`,
  count: "SELECT count(*) AS contexts FROM contexts WHERE ns = ?",
  add: `INSERT INTO contexts (ns, id, seq, revision, version, incarnation, apart)
    VALUES (?1, ?2, (SELECT ifnull(max(seq), 0) + 1 FROM contexts WHERE ns = ?1), ?3, ?4, ?5, ?6)`,
  replace: "UPDATE contexts SET revision = ?, version = ?, apart = ? WHERE ns = ? AND id = ?",
  remove: "DELETE FROM contexts WHERE ns = ? AND id = ?",
  removeAll: "DELETE FROM contexts WHERE ns = ?",
  // Before all others: where the row of its revision would be, there is one.
  addApart: `INSERT INTO log (revision, ns, folded, oldest, id, version, incarnation, past, op_id, changes, entry)
    VALUES ((SELECT min(0, ifnull(min(revision), 0)) - 1 FROM log), ?, 0, 0, ?, ?, ?, ?, '', '[]', ?)`,
  replaceApart: "UPDATE log SET version = ?, entry = ? WHERE revision = ?",
  versions: "SELECT version, entry FROM versions WHERE ns = ? AND id = ?",
  trimVersions: "DELETE FROM versions WHERE ns = ? AND id = ? AND version < ?",
  versionAt: "SELECT past, entry FROM log WHERE revision = ? AND ns = ? AND id = ?",
  sweepEnd: "SELECT revision FROM log WHERE revision BETWEEN ? AND ? ORDER BY revision LIMIT 1 OFFSET +?",
  // Of what is there, the version that has been locked or unlocked since is at two places.
  sweep: `DELETE FROM log WHERE revision IN (
    SELECT log.revision FROM log LEFT JOIN contexts ON contexts.ns = log.ns AND contexts.id = log.id
    WHERE log.revision BETWEEN ?1 AND ?2
      AND (contexts.incarnation IS NOT log.incarnation OR log.version < contexts.version - ?3
        OR log.version = contexts.version AND log.revision <> iif(apart, apart, contexts.revision)))`,
  forget: "DELETE FROM versions WHERE ns = ? AND id = ?",
  forgetAll: "DELETE FROM versions WHERE ns = ?",
  ends: "SELECT oldest, revision AS head FROM log ORDER BY revision DESC LIMIT 1",
  since: `SELECT revision, ns, folded, oldest, id, ids FROM log
    WHERE revision > ? ORDER BY revision LIMIT +?`,
  unfolded: `SELECT revision, ns, folded, oldest, id, ids FROM log
    WHERE revision >= (SELECT folded FROM log ORDER BY revision DESC LIMIT 1) ORDER BY revision`,
  // What is newer in contexts was written there as well. What fails is rolled back as a whole; to be able to take back a part,
  // SQLite would first copy each page to a file.
  fold: `UPDATE OR ROLLBACK contexts SET revision = log.revision, version = log.version, apart = 0 FROM log
    WHERE log.revision IN (SELECT max(revision) FROM log WHERE revision > ? AND version IS NOT NULL GROUP BY ns, id)
      AND contexts.ns = log.ns AND contexts.id = log.id AND contexts.revision < log.revision`,
  log: `INSERT INTO log (revision, ns, folded, oldest, id, ids, version, incarnation, past, op_id, changes, entry)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  // A renewal is a revision without a change.
  changes: `SELECT revision, op_id AS op, id, changes, entry FROM log
    WHERE revision > ? AND ns = ? AND changes <> '[]' ORDER BY revision LIMIT +?`,
  operationAt: "SELECT op_id AS op FROM log WHERE revision = ?",
  trimLog: "DELETE FROM log WHERE revision BETWEEN ? AND ? AND version IS NULL",
  page: `SELECT seq, contexts.id, entry
    FROM contexts LEFT JOIN log ON log.revision = iif(apart, apart, contexts.revision)
    WHERE contexts.ns = ?1 AND seq > ?2 AND substr(contexts.id, 1, length(?3)) = ?3 ORDER BY seq LIMIT +?4`,
  namespace: "SELECT ns FROM namespaces WHERE name = ?",
  addNamespace: "INSERT INTO namespaces (name) VALUES (?)",
  meta: "SELECT value FROM meta WHERE name = ?",
  setMeta: "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
  lastDeadline: "SELECT max(json_extract(entry, '$.lock.deadlineMs')) AS deadline FROM log WHERE entry IS NOT NULL",
  dataVersion: "PRAGMA data_version",
  userVersion: "PRAGMA user_version",
  sqliteVersion: "SELECT sqlite_version() AS version",
} as const;
