/**
 * The statements of the engine, but for migrations and the settings of a connection, by what they do. Before a point, `@` is
 * the schema.
 */

const SQL = {
  serverVersion: "SELECT current_setting('server_version_num')",
  schemaThere: "SELECT count(*) FROM pg_catalog.pg_namespace WHERE nspname = $1",
  layoutThere: "SELECT count(*) FROM pg_catalog.pg_tables WHERE schemaname = $1 AND tablename = 'layout'",
  addLayout: `CREATE TABLE @.layout (migrations integer NOT NULL)`,
  layout: `SELECT coalesce(max(migrations), 0) FROM @.layout`,
  setLayout: `WITH old AS (DELETE FROM @.layout) INSERT INTO @.layout VALUES ($1::integer)`,
  // Ends with the transaction, so a pooling proxy may stand between. The number is one that nobody else uses.
  migrationLock: "SELECT pg_advisory_xact_lock(1396919601)",
  namespace: `SELECT ns FROM @.namespaces WHERE name = $1`,
  addNamespace: `INSERT INTO @.namespaces (name) VALUES ($1) ON CONFLICT (name) DO NOTHING`,

  load: `SELECT * FROM @.load($1, $2::text[], $3::bigint[])`,
  loadOne: `SELECT n.head, n.contexts, (extract(epoch FROM clock_timestamp()) * 1000)::text,
      c.id, c.revision, CASE WHEN c.revision IS DISTINCT FROM $3 THEN c.entry END
    FROM @.namespaces n LEFT JOIN @.contexts c ON c.ns = $1 AND c.id = $2 WHERE n.ns = $1`,
  commit: `SELECT @.commit($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::text[], $11::bigint[], $12, $13::integer[], $14::integer[],
    $15::integer[], $16::integer[], $17::integer[], $18::integer[])`,
  // The most frequent commit, where nothing is in its way: the function takes twice as long for it. No row where there
  // is more to do, or where the counter has moved since the context was looked at, and then nothing has happened. Who
  // waits for the counter looks at its row again, and at nothing else: so it is compared with what it was.
  replaceOne: `WITH counter AS (
      UPDATE @.namespaces n SET head = n.head + 1 FROM @.contexts c
        WHERE n.ns = $1 AND n.head = (SELECT head FROM @.namespaces WHERE ns = $1)
          AND n.void_until < clock_timestamp() AND (n.head + 1) % 256 <> 0
          AND c.ns = $1 AND c.id = $2 AND c.revision = $3 AND c.next - c.first < $4::bigint + 16
        RETURNING n.head, n.tableoid::integer AS counters, c.ctid AS place, c.seq, c.next, c.revision, c.entry
    ), old AS (
      INSERT INTO @.versions (ns, seq, number, revision, entry)
        SELECT $1, o.seq, o.next, o.revision, o.entry FROM counter o WHERE $5::boolean
    ), logged AS (
      INSERT INTO @.log (ns, revision, first, lines) SELECT $1, o.head, o.head, $6 FROM counter o
    )
    UPDATE @.contexts c SET revision = o.head, entry = $7, next = o.next + $5::boolean::integer
      FROM counter o WHERE c.ctid = o.place
      RETURNING o.head - 1 || ';' || (NOT pg_try_advisory_xact_lock(o.counters, $1))::integer`,
  // Whoever has the counter may still commit; whoever comes for it afterwards finds this.
  giveUp: `WITH counter AS (UPDATE @.namespaces
        SET void_until = clock_timestamp() + interval '1 day' WHERE ns = $1 RETURNING ns),
      old AS (DELETE FROM @.void WHERE at < clock_timestamp() - interval '1 day')
    INSERT INTO @.void (attempt) SELECT $2 FROM counter ON CONFLICT DO NOTHING`,
  page: `SELECT n.head, c.seq, c.id, c.revision, c.entry FROM @.namespaces n LEFT JOIN LATERAL (
      SELECT c.seq, c.id, c.revision, c.entry FROM @.contexts c
      WHERE c.ns = n.ns AND c.seq > $2 AND starts_with(c.id, $3) ORDER BY c.seq LIMIT $4
    ) c ON true WHERE n.ns = $1 ORDER BY c.seq`,
  changes: `SELECT * FROM @.changes($1, $2, $3)`,
  versions: `SELECT revision, entry FROM (
      SELECT v.number, v.revision, v.entry FROM @.contexts c JOIN @.versions v
        ON v.ns = c.ns AND v.seq = c.seq AND v.number >= c.first
      WHERE c.ns = $1 AND c.id = $2 ORDER BY v.number DESC LIMIT $3
    ) newest ORDER BY number`,
  head: `SELECT head FROM @.namespaces WHERE ns = $1`,
  // As long as the connection lives. Commits look whether somebody has this lock, and notify only then.
  attend: `SELECT pg_advisory_lock_shared(tableoid::integer, ns) FROM @.namespaces WHERE ns = $1`,
  notify: "SELECT pg_notify($1, '')",
} as const;

export type Statements = Readonly<Record<keyof typeof SQL, string>>;

/** @param schema - quoted. */
export function statements(schema: string): Statements {
  // Whoever looks at what the server is doing sees which one it is.
  const texts = Object.entries(SQL).map(([name, text]) => [
    name,
    `/* ${name} */ ${text.replaceAll("@.", () => `${schema}.`)}`,
  ]);
  return Object.fromEntries(texts) as Statements;
}
