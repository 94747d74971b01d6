import { PLANNED_ONCE } from "./plans.ts";

/**
 * The compare-and-set of one batch in one round trip. It knows revisions and nothing else: no rule is here.
 *
 * The counter row is taken last, after all that can be compared without it has been, and held until the commit: so
 * revisions become visible in their order, which a sequence does not promise. Whoever has it is the only writer of the
 * namespace. If the counter has moved since the contexts were looked at, they are looked at once more, now with nobody to
 * interfere. No other row is ever waited for, so there is no deadlock.
 *
 * `p_acts` has a letter for each context: \`c\` it is only checked, \`r\` it is replaced, \`k\` it is replaced and becomes
 * history, \`b\` it is born, \`f\` it is forgotten, and born again where it has a line. Its lines are counted from 1, 0 is
 * none. Versions of a context are numbered: those from \`first\` on and before \`next\` are kept.
 *
 * @param schema - quoted.
 */
export function commitFunction(schema: string): string {
  return `
CREATE OR REPLACE FUNCTION ${schema}.commit(
  p_ns integer, p_attempt text, p_history bigint, p_log bigint,
  p_count integer, p_growth integer, p_clears boolean, p_logged text, p_others text,
  p_ids text[], p_expects bigint[], p_acts text, p_lines integer[], p_ranks integer[], p_replaced integer[],
  p_between integer[], p_between_lines integer[], p_between_ranks integer[]
) RETURNS text LANGUAGE plpgsql AS $commit$
DECLARE
  acts CONSTANT text[] := string_to_array(p_acts, NULL);
  texts text[];
  fits boolean;
  is_full boolean;              -- whether a history may be longer than it should
  places tid[];                 -- where the contexts are: nobody else moves them once the counter is taken
  seen bigint;                  -- the counter when the contexts were looked at
  base bigint;                  -- the counter before
  base_trimmed bigint;
  may_be_void boolean;
  counters integer;             -- which table of counters this is, of all schemas
  cut bigint;
BEGIN
  ${PLANNED_ONCE}
  LOOP
    SELECT n.head, s.fits, s.is_full, s.places INTO STRICT seen, fits, is_full, places FROM ${schema}.namespaces n, (
        SELECT coalesce(bool_and(s.expect = coalesce(c.revision, 0)), true) AS fits,
          -- Most of the time history may run over a little: to drop some at every write costs as much as the write.
          bool_or(c.kept + s.replaced >= p_history + 16) AS is_full,
          array_agg(c.place ORDER BY s.n) AS places
        FROM unnest(p_ids, p_expects, p_replaced) WITH ORDINALITY s(id, expect, replaced, n)
          LEFT JOIN LATERAL (
            SELECT c.revision, c.next - c.first AS kept, c.ctid AS place
            FROM ${schema}.contexts c WHERE c.ns = p_ns AND c.id = s.id OFFSET 0
          ) c ON true
      ) s WHERE n.ns = p_ns;
    EXIT WHEN NOT fits OR p_count = 0 OR base IS NOT NULL;
    UPDATE ${schema}.namespaces
      SET head = head + p_count, contexts = p_growth + CASE WHEN p_clears THEN 0 ELSE contexts END
      WHERE ns = p_ns
      RETURNING head - p_count, trimmed, void_until > clock_timestamp(), tableoid INTO STRICT base, base_trimmed, may_be_void, counters;
    EXIT WHEN base = seen;
  END LOOP;
  IF NOT fits THEN
    IF base IS NOT NULL THEN
      -- Somebody was faster: nothing has happened, so the counter is what it was.
      UPDATE ${schema}.namespaces SET head = base,
          contexts = CASE WHEN p_clears THEN (SELECT count(*) FROM ${schema}.contexts WHERE ns = p_ns)
            ELSE contexts - p_growth END
        WHERE ns = p_ns;
    END IF;
    RETURN (SELECT string_agg(coalesce(c.revision, 0)::text, ',' ORDER BY s.n)
      FROM unnest(p_ids) WITH ORDINALITY s(id, n)
        LEFT JOIN LATERAL (
          SELECT c.revision FROM ${schema}.contexts c WHERE c.ns = p_ns AND c.id = s.id OFFSET 0
        ) c ON true);
  END IF;
  IF p_count = 0 THEN
    RETURN seen || ';0';
  END IF;
  IF may_be_void AND EXISTS (SELECT FROM ${schema}.void WHERE attempt = p_attempt) THEN
    RAISE EXCEPTION 'attempt % was given up by its client', p_attempt;
  END IF;

  texts := string_to_array(concat_ws(E'\\n', p_logged, p_others), E'\\n');
  IF p_clears THEN
    DELETE FROM ${schema}.versions WHERE ns = p_ns;
    DELETE FROM ${schema}.contexts WHERE ns = p_ns;
  ELSIF strpos(p_acts, 'f') > 0 THEN
    WITH gone AS (
      DELETE FROM ${schema}.contexts c
        USING (SELECT s.id FROM unnest(p_ids, acts) s(id, act) WHERE s.act = 'f' OFFSET 0) s
        WHERE c.ns = p_ns AND c.id = s.id
        RETURNING c.seq, c.first
    )
    DELETE FROM ${schema}.versions v USING (SELECT gone.seq, gone.first FROM gone OFFSET 0) g
      WHERE v.ns = p_ns AND v.seq = g.seq AND v.number >= g.first;
  END IF;
  -- One statement for all of that takes twice as long (measured).
  IF strpos(p_acts, 'k') > 0 THEN
    INSERT INTO ${schema}.versions (ns, seq, number, revision, entry)
      SELECT p_ns, c.seq, c.next, c.revision, c.entry
      FROM unnest(places, acts) s(place, act),
        LATERAL (
          SELECT c.seq, c.next, c.revision, c.entry FROM ${schema}.contexts c WHERE c.ctid = s.place OFFSET 0
        ) c
      WHERE s.act = 'k';
  END IF;
  IF is_full THEN
    DELETE FROM ${schema}.versions v
      USING (
        SELECT c.seq, c.first, c.next + (s.act = 'k')::integer + s.replaced AS next
        FROM unnest(places, acts, p_replaced) s(place, act, replaced),
          LATERAL (SELECT c.seq, c.first, c.next FROM ${schema}.contexts c WHERE c.ctid = s.place OFFSET 0) c
        WHERE s.act IN ('k', 'r') OFFSET 0
      ) c
      WHERE v.ns = p_ns AND v.seq = c.seq AND c.next - c.first > p_history + 16
        AND v.number >= c.first AND v.number < c.next - p_history;
  END IF;
  IF strpos(p_acts, 'k') > 0 OR strpos(p_acts, 'r') > 0 THEN
    UPDATE ${schema}.contexts c
      SET revision = base + s.rank, entry = texts[s.line], next = c.next + s.more,
        first = CASE WHEN c.next + s.more - c.first > p_history + 16 THEN c.next + s.more - p_history ELSE c.first END
      FROM (
        SELECT s.place, s.line, s.rank, (s.act = 'k')::integer + s.replaced AS more
        FROM unnest(places, acts, p_lines, p_ranks, p_replaced) s(place, act, line, rank, replaced)
        WHERE s.act IN ('k', 'r') OFFSET 0
      ) s
      WHERE c.ctid = s.place;
  END IF;
  IF strpos(p_acts, 'b') > 0 OR strpos(p_acts, 'f') > 0 THEN
    INSERT INTO ${schema}.contexts (ns, id, revision, entry, next)
      SELECT p_ns, s.id, base + s.rank, texts[s.line], 1 + s.replaced
      FROM unnest(p_ids, acts, p_lines, p_ranks, p_replaced) WITH ORDINALITY s(id, act, line, rank, replaced, n)
      WHERE s.act IN ('b', 'f') AND s.line > 0 ORDER BY s.n;
  END IF;
  IF p_between <> '{}' THEN
    -- Those of one context come together; they have the numbers before the one that is the next now.
    INSERT INTO ${schema}.versions (ns, seq, number, revision, entry)
      SELECT p_ns, c.seq, c.next - p_replaced[b.step] + b.place, base + b.rank, texts[b.line]
      FROM (
          SELECT b.step, b.line, b.rank, row_number() OVER (PARTITION BY b.step ORDER BY b.n) - 1 AS place
          FROM unnest(p_between, p_between_lines, p_between_ranks) WITH ORDINALITY b(step, line, rank, n)
        ) b,
        LATERAL (
          SELECT c.seq, c.next FROM ${schema}.contexts c WHERE c.ns = p_ns AND c.id = p_ids[b.step] OFFSET 0
        ) c;
  END IF;

  IF p_logged IS NOT NULL THEN
    INSERT INTO ${schema}.log (ns, revision, first, lines) VALUES (p_ns, base + p_count, base + 1, p_logged);
  END IF;
  -- A long backlog goes piece by piece, so that no commit takes long.
  IF base / 256 <> (base + p_count) / 256 THEN
    cut := least(base + p_count - p_log, base_trimmed + 4096);
    IF cut > base_trimmed THEN
      -- Not from the beginning: there the index still has what was deleted before.
      DELETE FROM ${schema}.log WHERE ns = p_ns AND revision > base_trimmed AND revision <= cut;
      UPDATE ${schema}.namespaces SET trimmed = cut WHERE ns = p_ns;
    END IF;
  END IF;

  -- Listeners share this lock: whether there are any, is told after a semicolon.
  RETURN base || ';' || (NOT pg_try_advisory_xact_lock(counters, p_ns))::integer;
END
$commit$;
`;
}
