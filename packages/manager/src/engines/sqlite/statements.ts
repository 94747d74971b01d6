/** Every statement that the engine runs, by what it does. */
export const SQL = {
  contextOf: "SELECT revision, entry FROM contexts WHERE ns = ? AND id = ?",
  count: "SELECT count(*) AS contexts FROM contexts WHERE ns = ?",
  head: "SELECT max(revision) AS head FROM log",
  ends: "SELECT min(revision) AS oldest, max(revision) AS head FROM log",
  add: "INSERT INTO contexts (ns, id, revision, entry) VALUES (?, ?, ?, ?)",
  replace: "UPDATE contexts SET revision = ?, entry = ? WHERE ns = ? AND id = ?",
  remove: "DELETE FROM contexts WHERE ns = ? AND id = ?",
  removeAll: "DELETE FROM contexts WHERE ns = ?",
  keep: "INSERT INTO versions (ns, id, revision, entry) SELECT ns, id, revision, entry FROM contexts WHERE ns = ? AND id = ?",
  versions: "SELECT entry FROM versions WHERE ns = ? AND id = ? ORDER BY revision",
  // The newest so many stay.
  trimVersions: `DELETE FROM versions WHERE ns = ?1 AND id = ?2 AND revision <= (
    SELECT revision FROM versions WHERE ns = ?1 AND id = ?2 ORDER BY revision DESC LIMIT 1 OFFSET ?3)`,
  forget: "DELETE FROM versions WHERE ns = ? AND id = ?",
  forgetAll: "DELETE FROM versions WHERE ns = ?",
  logAt: "INSERT INTO log (revision, ns, op, changes) VALUES (?, ?, ?, ?)",
  // A renewal is a revision without a change.
  changes: `SELECT revision, op, changes FROM log
    WHERE revision > ? AND ns = ? AND changes <> '[]' ORDER BY revision LIMIT ?`,
  operationAt: "SELECT op FROM log WHERE revision = ?",
  trimLog: "DELETE FROM log WHERE revision <= ?",
  page: `SELECT seq, id, entry FROM contexts
    WHERE ns = ?1 AND seq > ?2 AND substr(id, 1, length(?3)) = ?3 ORDER BY seq LIMIT ?4`,
  namespace: "SELECT ns FROM namespaces WHERE name = ?",
  addNamespace: "INSERT INTO namespaces (name) VALUES (?)",
  meta: "SELECT value FROM meta WHERE name = ?",
  setMeta: "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
  lastDeadline: "SELECT max(json_extract(entry, '$.lock.deadlineMs')) AS deadline FROM contexts",
  dataVersion: "PRAGMA data_version",
  userVersion: "PRAGMA user_version",
  sqliteVersion: "SELECT sqlite_version() AS version",
} as const;
