/**
 * The statements of the engine, but for migrations and the settings of a connection, by what they do. Before a point, `@` is
 * the schema.
 */

import { HAS_ROOM, isDue } from "./functions/commit.ts";
import { newer, TEXTS } from "./functions/tail.ts";

type Name =
  | "serverVersion"
  | "schemaThere"
  | "layoutThere"
  | "addLayout"
  | "layout"
  | "setLayout"
  | "migrationLock"
  | "namespace"
  | "addNamespace"
  | "load"
  | "loadOne"
  | "commit"
  | "replaceOne"
  | "tidy"
  | "giveUp"
  | "page"
  | "changes"
  | "versions"
  | "head"
  | "attend"
  | "notify";

const SQL: Readonly<Record<Name, string>> = {
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

  // Of the contexts nothing, where the counter is what it was when the client has seen them. Without OFFSET the function
  // would be called all the same.
  load: `SELECT n.head, n.contexts, (extract(epoch FROM clock_timestamp()) * 1000)::text, c.id, c.revision, c.entry
    FROM @.namespaces n LEFT JOIN LATERAL (
      SELECT c.id, c.revision, c.entry FROM @.present($1, $2::text[], $3::bigint[]) c WHERE n.head IS DISTINCT FROM $4::bigint OFFSET 0
    ) c ON true WHERE n.ns = $1`,
  // The same of one context that may have changed, as most do that are asked for: the function takes longer for it. It is in
  // the log alone if a row past those that the tables have is about it, and the last of them says as what.
  loadOne: `SELECT n.head, n.contexts, (extract(epoch FROM clock_timestamp()) * 1000)::text, c.id,
      coalesce(l.first - 1 + i.rank, c.revision), CASE
        WHEN coalesce(l.first - 1 + i.rank, c.revision) = $3::bigint THEN NULL
        WHEN i.rank IS NULL THEN c.stored ELSE (${TEXTS})[i.at]
      END
    FROM @.namespaces n LEFT JOIN @.contexts c ON c.ns = n.ns AND c.id = $2 LEFT JOIN LATERAL (
      SELECT l.first, l.lines, l.others, l.ids, l.at, l.ranks FROM @.log l
      WHERE c.id IS NOT NULL AND l.ns = $1 AND l.revision > n.folded AND c.id = ANY (l.ids) ORDER BY l.revision DESC LIMIT 1
    ) l ON true LEFT JOIN LATERAL (
      SELECT i.at, i.rank FROM unnest(l.ids, l.at, l.ranks) i(id, at, rank) WHERE i.id = c.id ORDER BY i.rank DESC LIMIT 1
    ) i ON true WHERE n.ns = $1`,
  commit: `SELECT @.commit($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13::text[], $14::bigint[], $15::text[],
    $16::text[], $17::integer[], $18::integer[], $19::integer[], $20::integer[], $21::integer[], $22::text[], $23::integer[],
    $24::integer[], $25::boolean[])`,
  // The most frequent commit, where nothing is in its way: the function takes longer for it. No row where there is more to
  // do, or where the counter has moved since the context was looked at, and then nothing has happened. Who waits for the
  // counter looks at its row again, and at nothing else: so it is compared with what it was. Nothing else need be looked at
  // where the last row of the log is the one as of which the client knows the context.
  replaceOne: `WITH counter AS (
      UPDATE @.namespaces n SET head = n.head + 1, unfolded = n.unfolded + 1
        WHERE n.ns = $1 AND n.head = (SELECT head FROM @.namespaces WHERE ns = $1)
          AND n.void_until < clock_timestamp() AND ${HAS_ROOM} AND CASE
            WHEN n.head = $9 AND $3 <= $9 AND EXISTS (SELECT FROM @.log l WHERE l.ns = $1 AND l.revision = $9 AND l.mark = $10) THEN true
            ELSE $3 = (
              SELECT coalesce(${newer("@", "$1", "$2", "(SELECT folded FROM @.namespaces WHERE ns = $1)")}, c.revision)
              FROM @.contexts c WHERE c.ns = $1 AND c.id = $2
            )
          END
        RETURNING n.head, n.tableoid::integer AS counters, ${isDue("n.head - 1", "n.unfolded - 1", "1", "1")} AS is_due
    )
    INSERT INTO @.log (ns, revision, first, mark, lines, others, ids, at, ranks, keeps)
      SELECT $1, n.head, n.head, $4, $5, $6, ARRAY[$2::text], ARRAY[$7::integer], ARRAY[1], ARRAY[$8::boolean] FROM counter n
      RETURNING revision - 1 || ';' || (
        SELECT (NOT pg_try_advisory_xact_lock(n.counters, $1))::integer || ';' || n.is_due::integer FROM counter n
      )`,
  tidy: `SELECT @.tidy($1, $2, $3)`,
  // Whoever has the counter may still commit; whoever comes for it afterwards finds this.
  giveUp: `WITH counter AS (UPDATE @.namespaces
        SET void_until = clock_timestamp() + interval '1 day' WHERE ns = $1 RETURNING ns),
      old AS (DELETE FROM @.void WHERE at < clock_timestamp() - interval '1 day')
    INSERT INTO @.void (attempt) SELECT $2 FROM counter ON CONFLICT DO NOTHING`,
  page: `SELECT * FROM @.page($1, $2, $3, $4)`,
  changes: `SELECT * FROM @.changes($1, $2, $3)`,
  versions: `SELECT * FROM @.versions_of($1, $2, $3)`,
  head: `SELECT head FROM @.namespaces WHERE ns = $1`,
  // As long as the connection lives. Commits look whether somebody has this lock, and notify only then.
  attend: `SELECT pg_advisory_lock_shared(tableoid::integer, ns) FROM @.namespaces WHERE ns = $1`,
  notify: "SELECT pg_notify($1, '')",
};

export type Statements = Readonly<Record<Name, string>>;

/** @param schema - quoted. */
export function statements(schema: string): Statements {
  // Whoever looks at what the server is doing sees which one it is.
  const texts = Object.entries(SQL).map(([name, text]) => [
    name,
    `/* ${name} */ ${text.replaceAll("@.", () => `${schema}.`)}`,
  ]);
  return Object.fromEntries(texts) as Statements;
}
