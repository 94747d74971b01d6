import { COMMITTING, countersOf, FOLDING, LISTENING } from "./locks.ts";
import { PLANNED_ONCE } from "./plans.ts";
import { touchedOf, touches } from "./tail.ts";

/** With so much in the log alone it is time to bring the tables up to date. */
const ROWS = 64;
const REVISIONS = 4_096;
/** With so many times as much, commits do it themselves: nobody else does. */
const TOO_MUCH = 4;

/** Of a namespace `n`: whether a commit is still free to leave the tables as they are. */
export const HAS_ROOM: string = `(n.unfolded < ${ROWS * TOO_MUCH} AND n.head - n.folded < ${REVISIONS * TOO_MUCH})`;

/**
 * Of a namespace `n`: whether somebody should bring the tables up to date. It is so for the commit that makes the log alone
 * reach that size, or a multiple of it: whoever commits while somebody is at it need not ask.
 *
 * @param head - of `n` before the commit.
 * @param unfolded - of `n` before the commit.
 */
export function isDue(head: string, unfolded: string, revisions: string, rows: string): string {
  const passes = (before: string, growth: string, size: number): string =>
    `((${before} + ${growth}) / ${size} > (${before}) / ${size})`;
  return `(${passes(unfolded, rows, ROWS)} OR ${passes(`${head} - n.folded`, revisions, REVISIONS)})`;
}

/** At which revision contexts are, in the table or in the log alone; 0 for none. */
function present(schema: string): string {
  return `SELECT max(u.n) AS n, max(u.expect) AS expect, coalesce(max(u.revision), 0) AS revision FROM (
      SELECT a.id COLLATE "C" AS id, a.n, a.expect, NULL::bigint AS revision
        FROM unnest(p_ids, p_expects) WITH ORDINALITY a(id, expect, n)
      UNION ALL SELECT c.id, NULL, NULL, c.revision FROM unnest(p_ids) a(id), LATERAL (
        SELECT c.id, c.revision FROM ${schema}.contexts c WHERE c.ns = p_ns AND c.id = a.id OFFSET 0
      ) c
      UNION ALL SELECT t.id, NULL, NULL, t.revision FROM (${touchedOf(schema, "p_ns", "n.folded", "p_ids")}) t
    ) u GROUP BY u.id HAVING max(u.n) IS NOT NULL`;
}

/**
 * A batch of commits, each all or nothing: revisions are compared and texts are moved, no rule is in here. With all
 * that the contexts must be at, it is written and the revision before it returned; or else nothing is, and the
 * revisions are returned that the contexts have.
 *
 * What becomes of contexts that are there is a row of the log and nothing else (`p_items` and what follows): the tables
 * follow when there is enough of it. What is gone or born is so at once; what was born and replaced again, says by its
 * place which birth it is about. Places and lines are counted from 1.
 *
 * Its client may know of a row of the log, by `p_known_mark`, as of which all the contexts were as it expects, or what has
 * made them so came later: then only what came after that row is looked at. What is gone since, nobody can tell from the log.
 *
 * @param schema - quoted.
 */
export function commitFunction(schema: string): string {
  return String.raw`
CREATE OR REPLACE FUNCTION ${schema}.commit(
  p_ns integer, p_attempt text, p_history bigint, p_log bigint, p_known bigint, p_known_mark bigint, p_mark bigint,
  p_count integer, p_growth integer, p_clears boolean, p_logged text, p_others text,
  p_ids text[], p_expects bigint[], p_gone text[], p_born text[], p_born_lines integer[], p_born_ranks integer[],
  p_replaced integer[], p_replaced_lines integer[], p_replaced_ranks integer[],
  p_items text[], p_at integer[], p_ranks integer[], p_keeps boolean[]
) RETURNS text LANGUAGE plpgsql AS $commit$
DECLARE
  counters CONSTANT integer := ${countersOf(schema)};
  takes CONSTANT boolean := p_clears OR p_gone <> '{}';
  n record;
  expected jsonb;
  fits boolean := true;
  actual text;
  may_be_void boolean;
  texts text[];
BEGIN
  ${PLANNED_ONCE}
  PERFORM pg_advisory_xact_lock(${COMMITTING});
  IF takes THEN
    PERFORM pg_advisory_xact_lock(${FOLDING});
  END IF;
  LOOP
    SELECT s.head, s.folded, s.unfolded, p_known >= s.folded AND p_known > s.gone AND EXISTS (
        SELECT FROM ${schema}.log l WHERE l.ns = p_ns AND l.revision = p_known AND l.mark = p_known_mark
      ) AS is_known, (SELECT count(*) FROM unnest(p_expects) e WHERE e > p_known) AS later
      INTO STRICT n FROM ${schema}.namespaces s WHERE s.ns = p_ns;
    IF n.is_known AND (n.head > p_known OR n.later > 0) THEN
      expected := coalesce(expected, jsonb_object(p_ids, p_expects::text[]));
      n.is_known := (SELECT bool_and(t.revision <= t.expect) IS NOT FALSE AND count(*) FILTER (WHERE t.revision = t.expect) = n.later
        FROM (
          SELECT t.revision, (expected->>t.id)::bigint AS expect FROM (${touches(schema, "p_ns", "p_known")}) t WHERE expected ? t.id
        ) t);
    END IF;
    IF n.is_known IS NOT TRUE THEN
      SELECT bool_and(s.expect = s.revision) IS NOT FALSE, string_agg(s.revision::text, ',' ORDER BY s.n) INTO fits, actual
        FROM (${present(schema)}) s;
    END IF;
    EXIT WHEN NOT fits OR p_count = 0;
    -- From here on nobody else writes. Whoever has written since, or has moved what was looked at, makes this begin again.
    UPDATE ${schema}.namespaces
      SET head = head + p_count, contexts = p_growth + CASE WHEN p_clears THEN 0 ELSE contexts END,
        unfolded = unfolded + (p_items <> '{}')::integer, gone = CASE WHEN takes THEN head + p_count ELSE gone END
      WHERE ns = p_ns AND head = n.head AND folded = n.folded
      RETURNING void_until > clock_timestamp() INTO may_be_void;
    EXIT WHEN FOUND;
  END LOOP;
  IF NOT fits THEN
    RETURN actual;
  END IF;
  IF p_count = 0 THEN
    RETURN n.head || ';0;0';
  END IF;
  IF may_be_void THEN
    IF EXISTS (SELECT FROM ${schema}.void WHERE attempt = p_attempt) THEN
      RAISE EXCEPTION 'attempt % was given up by its client', p_attempt;
    END IF;
  END IF;

  IF takes OR (NOT ${HAS_ROOM} AND pg_try_advisory_xact_lock(${FOLDING})) THEN
    PERFORM ${schema}.fold(p_ns, p_history, p_log, n.head);
  END IF;
  IF p_clears THEN
    DELETE FROM ${schema}.versions WHERE ns = p_ns;
    DELETE FROM ${schema}.contexts WHERE ns = p_ns;
  ELSIF p_gone <> '{}' THEN
    WITH gone AS (
      DELETE FROM ${schema}.contexts c USING (SELECT g.id FROM unnest(p_gone) g(id) OFFSET 0) g
        WHERE c.ns = p_ns AND c.id = g.id
        RETURNING c.seq, c.first
    )
    DELETE FROM ${schema}.versions v USING (SELECT gone.seq, gone.first FROM gone OFFSET 0) g
      WHERE v.ns = p_ns AND v.seq = g.seq AND v.number >= g.first;
  END IF;
  IF p_born <> '{}' THEN
    texts := string_to_array(concat_ws(E'\n', p_logged, p_others), E'\n');
    WITH born AS (
      INSERT INTO ${schema}.contexts (ns, id, revision, stored, first)
        SELECT p_ns, b.id, n.head + b.rank, texts[b.line],
          1 - (SELECT count(*) FROM unnest(p_replaced) r(birth) WHERE r.birth = b.n)
        FROM unnest(p_born, p_born_lines, p_born_ranks) WITH ORDINALITY b(id, line, rank, n) ORDER BY b.n
        RETURNING id, seq, first
    )
    -- What was born and replaced again.
    INSERT INTO ${schema}.versions (ns, seq, number, revisions, entries)
      SELECT p_ns, born.seq, born.first, array_agg(n.head + r.rank ORDER BY r.rank),
        string_agg(texts[r.line], E'\n' ORDER BY r.rank)
      FROM unnest(p_replaced, p_replaced_lines, p_replaced_ranks) r(birth, line, rank), born
      WHERE born.id = p_born[r.birth]
      GROUP BY born.seq, born.first;
  END IF;

  INSERT INTO ${schema}.log (ns, revision, first, mark, lines, others, ids, at, ranks, keeps)
    VALUES (p_ns, n.head + p_count, n.head + 1, p_mark, coalesce(p_logged, ''), p_others, p_items, p_at, p_ranks, p_keeps);
  -- Behind semicolons: whether anybody listens, and whether the tables should be brought up to date.
  RETURN n.head || ';' || (NOT pg_try_advisory_xact_lock(${LISTENING}))::integer || ';' || ${isDue("n.head", "n.unfolded", "p_count", "(p_items <> '{}')::integer")}::integer;
END
$commit$;
`;
}
