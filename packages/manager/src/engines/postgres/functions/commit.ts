import { COMMITTING, FOLDING, LISTENING } from "./locks.ts";
import { PLANNED_ONCE } from "./plans.ts";
import { touched } from "./tail.ts";

/** With so much in the log alone it is time to bring the tables up to date. */
const ROWS = 32;
const REVISIONS = 512;
/** With so many times as much, commits do it themselves: nobody else does. */
const TOO_MUCH = 4;

/** Of a namespace `n`: whether a commit is still free to leave the tables as they are. */
export const HAS_ROOM: string = `(n.unfolded < ${ROWS * TOO_MUCH} AND n.head - n.folded < ${REVISIONS * TOO_MUCH})`;
/** Of a namespace `n`: whether somebody should bring the tables up to date. */
export const IS_DUE: string = `(n.unfolded >= ${ROWS} OR n.head - n.folded >= ${REVISIONS})`;

/**
 * At which revision contexts are: the last of all that is said of them, 0 for none.
 *
 * @param after - only what the log says past this one counts.
 * @param more - where else it is said.
 */
function present(schema: string, after: string, more = ""): string {
  return `SELECT max(u.n) AS n, max(u.expect) AS expect, coalesce(max(u.revision), 0) AS revision FROM (
      SELECT a.id COLLATE "C" AS id, a.n, a.expect, NULL::bigint AS revision
        FROM unnest(p_ids, p_expects) WITH ORDINALITY a(id, expect, n)
      ${more}
      UNION ALL SELECT t.id, NULL, NULL, t.revision FROM (${touched(schema, "p_ns", after)}) t
    ) u GROUP BY u.id HAVING max(u.n) IS NOT NULL`;
}

function inTheTable(schema: string): string {
  return `UNION ALL SELECT c.id, NULL, NULL, c.revision FROM unnest(p_ids) a(id), LATERAL (
        SELECT c.id, c.revision FROM ${schema}.contexts c WHERE c.ns = p_ns AND c.id = a.id OFFSET 0
      ) c`;
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
 * Its client may know of a row of the log, by `p_known_mark`, as of which all the contexts were as it expects: then only
 * what came after that row is looked at. What is gone since, nobody can tell from the log.
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
  counters CONSTANT integer := (SELECT tableoid::integer FROM ${schema}.namespaces WHERE ns = p_ns);
  takes CONSTANT boolean := p_clears OR p_gone <> '{}';
  n record;
  is_known boolean;
  fits boolean := true;
  may_be_void boolean;
  texts text[];
BEGIN
  ${PLANNED_ONCE}
  PERFORM pg_advisory_xact_lock(${COMMITTING});
  IF takes THEN
    PERFORM pg_advisory_xact_lock(${FOLDING});
  END IF;
  LOOP
    SELECT head, folded, unfolded, gone INTO STRICT n FROM ${schema}.namespaces WHERE ns = p_ns;
    is_known := p_known IS NOT NULL AND p_known >= n.folded AND p_known > n.gone
      AND EXISTS (SELECT FROM ${schema}.log WHERE ns = p_ns AND revision = p_known AND mark = p_known_mark);
    IF NOT is_known THEN
      SELECT coalesce(bool_and(s.expect = s.revision), true) INTO fits FROM (${present(schema, "n.folded", inTheTable(schema))}) s;
    ELSIF p_known < n.head THEN
      SELECT coalesce(bool_and(s.expect = s.revision OR s.revision = 0), true) INTO fits FROM (${present(schema, "p_known")}) s;
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
    RETURN (SELECT string_agg(s.revision::text, ',' ORDER BY s.n) FROM (${present(schema, "n.folded", inTheTable(schema))}) s);
  END IF;
  IF p_count = 0 THEN
    RETURN n.head || ';0;0';
  END IF;
  IF may_be_void AND EXISTS (SELECT FROM ${schema}.void WHERE attempt = p_attempt) THEN
    RAISE EXCEPTION 'attempt % was given up by its client', p_attempt;
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
  RETURN n.head || ';' || (NOT pg_try_advisory_xact_lock(${LISTENING}))::integer || ';' || ${IS_DUE}::integer;
END
$commit$;
`;
}
