/**
 * A row of `log` is a whole commit, as lines of text that are stored as they are: to press them would take longer than
 * to write them. Versions have numbers, counted for each context, so that the oldest are found without a look at what
 * was deleted before them. Until `void_until` the table
 * `void` is worth a look.
 *
 * It also made the functions once; now a later migration does.
 *
 * @param schema - quoted.
 */
export function batches(schema: string): string {
  return `
DROP FUNCTION IF EXISTS ${schema}.commit(integer, text, bigint, bigint, text[], text[], text[], boolean[], integer[],
  integer[], bigint[], "char"[], "char"[], text[]);
DROP FUNCTION IF EXISTS ${schema}.changes(integer, bigint, bigint);

ALTER TABLE ${schema}.namespaces ADD COLUMN void_until timestamptz NOT NULL DEFAULT '-infinity';
UPDATE ${schema}.namespaces SET void_until = clock_timestamp() + interval '1 day'
  WHERE EXISTS (SELECT FROM ${schema}.void);

ALTER TABLE ${schema}.contexts
  ADD COLUMN first bigint NOT NULL DEFAULT 1,
  ADD COLUMN next bigint NOT NULL DEFAULT 1;
ALTER TABLE ${schema}.versions RENAME TO versions_by_id;
CREATE TABLE ${schema}.versions (
  ns integer NOT NULL,
  seq bigint NOT NULL,
  number bigint NOT NULL,
  revision bigint NOT NULL,
  entry text NOT NULL,
  CONSTRAINT versions_by_number PRIMARY KEY (ns, seq, number)
);
INSERT INTO ${schema}.versions (ns, seq, number, revision, entry)
  SELECT c.ns, c.seq, row_number() OVER (PARTITION BY c.ns, c.seq ORDER BY v.revision), v.revision, v.entry
  FROM ${schema}.versions_by_id v JOIN ${schema}.contexts c ON c.ns = v.ns AND c.id = v.id;
DROP TABLE ${schema}.versions_by_id;
UPDATE ${schema}.contexts c SET next = v.number + 1
  FROM (SELECT ns, seq, max(number) AS number FROM ${schema}.versions GROUP BY ns, seq) v
  WHERE c.ns = v.ns AND c.seq = v.seq;

ALTER TABLE ${schema}.log ADD COLUMN first bigint, ADD COLUMN lines text;
ALTER TABLE ${schema}.log ALTER COLUMN lines SET STORAGE EXTERNAL;
-- What was a list of changes becomes a line with all of them, in which each says how far behind it its entry is.
UPDATE ${schema}.log l SET first = l.revision, lines = '[' || to_json(l.op) || (
    SELECT coalesce(string_agg(',[' || (t.change->'kind') || ',' || (t.change->'contextId') || ','
        || (t.change->'agentId') || ',' || (t.change->'note') || ',' || t.line || ']', '' ORDER BY t.n), '')
      || ']' || coalesce(string_agg(E'\\n' || (t.change->'entry'), '' ORDER BY t.n) FILTER (WHERE t.line > 0), '')
    FROM (
      SELECT c.change, c.n, CASE WHEN json_typeof(c.change->'entry') = 'object'
        THEN count(*) FILTER (WHERE json_typeof(c.change->'entry') = 'object') OVER (ORDER BY c.n) ELSE 0 END AS line
      FROM json_array_elements(l.changes::json) WITH ORDINALITY c(change, n)
    ) t
  );
ALTER TABLE ${schema}.log
  ALTER COLUMN first SET NOT NULL, ALTER COLUMN lines SET NOT NULL, DROP COLUMN op, DROP COLUMN changes;
`;
}
