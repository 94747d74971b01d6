/**
 * The statements that the engine prepares, by what they do; what opens a file is in `file.ts`. Limits that are bound have a
 * sign: without it SQLite looks at the value and prepares the statement anew each time, which takes longer than the rest of it.
 */
export const SQL = {
  begin: "BEGIN IMMEDIATE",
  commit: "COMMIT",
  contextOf: "SELECT revision, in_log, past, entry FROM contexts WHERE ns = ? AND id = ?",
  count: "SELECT count(*) AS contexts FROM contexts WHERE ns = ?",
  add: `INSERT INTO contexts (ns, id, revision, version, incarnation, in_log, past, entry)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  replace: "UPDATE contexts SET revision = ?, version = ?, in_log = ?, past = ?, entry = ? WHERE ns = ? AND id = ?",
  remove: "DELETE FROM contexts WHERE ns = ? AND id = ?",
  removeAll: "DELETE FROM contexts WHERE ns = ?",
  versions: "SELECT version, entry FROM versions WHERE ns = ? AND id = ?",
  trimVersions: "DELETE FROM versions WHERE ns = ? AND id = ? AND version < ?",
  logged: "SELECT past, entry FROM log WHERE revision = ? AND ns = ? AND id = ?",
  archived: "SELECT past, entry FROM archive WHERE revision = ? AND ns = ? AND id = ?",
  archive: `INSERT OR IGNORE INTO archive (revision, ns, id, version, incarnation, past, entry)
    SELECT log.revision, log.ns, log.id, log.version, log.incarnation, log.past, log.entry
    FROM log CROSS JOIN contexts ON contexts.ns = log.ns AND contexts.id = log.id
    WHERE log.revision <= ?1 AND log.incarnation = contexts.incarnation
      AND log.version BETWEEN contexts.version - ?2 AND contexts.version - 1`,
  archivePresent: `INSERT INTO archive (revision, ns, id, version, incarnation, past, entry)
    SELECT (SELECT min(0, ifnull(min(revision), 0)) - 1 FROM archive), ns, id, version, incarnation, past, entry
    FROM contexts WHERE ns = ? AND id = ?`,
  sweepEnd: "SELECT revision FROM archive WHERE revision >= ? ORDER BY revision LIMIT 1 OFFSET +?",
  sweep: `DELETE FROM archive WHERE revision IN (
    SELECT archive.revision FROM archive LEFT JOIN contexts ON contexts.ns = archive.ns AND contexts.id = archive.id
    WHERE archive.revision BETWEEN ?1 AND ?2
      AND (contexts.incarnation IS NOT archive.incarnation OR archive.version < contexts.version - ?3))`,
  forget: "DELETE FROM versions WHERE ns = ? AND id = ?",
  forgetAll: "DELETE FROM versions WHERE ns = ?",
  // Together in one query they would be looked for in all rows.
  ends: "SELECT (SELECT min(revision) FROM log) AS oldest, (SELECT max(revision) FROM log) AS head",
  since: `SELECT revision, ns, folded, oldest, id, ids FROM log
    WHERE revision > ? ORDER BY revision LIMIT +?`,
  unfolded: `SELECT revision, ns, folded, oldest, id, ids FROM log
    WHERE revision >= (SELECT folded FROM log ORDER BY revision DESC LIMIT 1) ORDER BY revision`,
  // What is newer in contexts was written there as well.
  fold: `UPDATE contexts SET revision = log.revision, version = log.version, in_log = 1, past = log.past, entry = log.entry
    FROM log
    WHERE log.revision IN (SELECT max(revision) FROM log WHERE revision > ? AND version IS NOT NULL GROUP BY ns, id)
      AND contexts.ns = log.ns AND contexts.id = log.id AND contexts.revision < log.revision`,
  log: `INSERT INTO log (revision, ns, folded, oldest, id, ids, version, incarnation, past, op, changes, entry)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  // A renewal is a revision without a change.
  changes: `SELECT revision, op, id, changes, entry FROM log
    WHERE revision > ? AND ns = ? AND changes <> '[]' ORDER BY revision LIMIT +?`,
  operationAt: "SELECT op FROM log WHERE revision = ?",
  trimLog: "DELETE FROM log WHERE revision <= ?",
  page: `SELECT seq, id, entry FROM contexts
    WHERE ns = ?1 AND seq > ?2 AND substr(id, 1, length(?3)) = ?3 ORDER BY seq LIMIT +?4`,
  namespace: "SELECT ns FROM namespaces WHERE name = ?",
  addNamespace: "INSERT INTO namespaces (name) VALUES (?)",
  meta: "SELECT value FROM meta WHERE name = ?",
  setMeta: "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
  lastDeadline: `SELECT max(json_extract(entry, '$.lock.deadlineMs')) AS deadline
    FROM (SELECT entry FROM contexts UNION ALL SELECT entry FROM log WHERE entry IS NOT NULL)`,
  dataVersion: "PRAGMA data_version",
  userVersion: "PRAGMA user_version",
  sqliteVersion: "SELECT sqlite_version() AS version",
} as const;
