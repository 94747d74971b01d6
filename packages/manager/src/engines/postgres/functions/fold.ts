import { countersOf, FOLDING } from "./locks.ts";
import { PLANNED_ONCE } from "./plans.ts";
import { news } from "./tail.ts";

/** Most of the time history may run over a little: to drop some each time costs as much as to add some. */
const SLACK = 16;

/**
 * `fold` brings the tables up to date with the log, up to a revision, and drops what is too old. It is for who holds the
 * lock. `tidy` does so for whoever comes first, beside the commits that go on meanwhile. If it is lost in a crash, what
 * is there is still the same: so nobody waits for the disk.
 *
 * The versions that a context gets at once are one row, numbered as they would be one by one: those from `first` on and
 * before `next` are kept, and the row that begins with `first` is the oldest.
 *
 * @param schema - quoted.
 */
export function foldFunctions(schema: string): string {
  return String.raw`
CREATE OR REPLACE FUNCTION ${schema}.fold(p_ns integer, p_history bigint, p_log bigint, p_through bigint) RETURNS void
LANGUAGE plpgsql AS $fold$
DECLARE
  n record;
  cut bigint;
BEGIN
  SELECT s.folded, s.trimmed, (
      SELECT count(*) FROM ${schema}.log l
      WHERE l.ns = p_ns AND l.revision > s.folded AND l.revision <= p_through AND l.ids <> '{}'
    ) AS unfolded INTO STRICT n FROM ${schema}.namespaces s WHERE s.ns = p_ns;
  IF n.unfolded > 0 THEN
    WITH news AS MATERIALIZED (
      ${news(schema, "p_ns", "n.folded", "p_through")}
    ), added AS (
      INSERT INTO ${schema}.versions (ns, seq, number, revisions, entries)
        SELECT p_ns, news.seq, news.next, news.revisions, news.entries FROM news WHERE news.revisions <> '{}'
    ), dropped AS (
      DELETE FROM ${schema}.versions v USING (
          SELECT news.seq, news.first, news.next + cardinality(news.revisions) - p_history AS oldest FROM news
          WHERE news.next + cardinality(news.revisions) - news.first > p_history + ${SLACK} OFFSET 0
        ) d
        WHERE v.ns = p_ns AND v.seq = d.seq AND v.number >= d.first AND v.number + cardinality(v.revisions) <= d.oldest
        RETURNING v.seq, v.number + cardinality(v.revisions) AS first
    )
    UPDATE ${schema}.contexts c
      SET revision = news.revision, stored = news.entry, next = news.next + cardinality(news.revisions),
        first = coalesce((SELECT max(dropped.first) FROM dropped WHERE dropped.seq = news.seq), news.first)
      FROM news WHERE c.ctid = news.place;
  END IF;
  -- A long backlog goes piece by piece, so that no commit takes long.
  cut := least(p_through - p_log, n.trimmed + 4096);
  IF cut >= n.trimmed + 256 THEN
    -- Not from the beginning: there the index still has what was deleted before.
    DELETE FROM ${schema}.log WHERE ns = p_ns AND revision > n.trimmed AND revision <= cut;
  ELSE
    cut := n.trimmed;
  END IF;
  UPDATE ${schema}.namespaces SET folded = p_through, unfolded = unfolded - n.unfolded, trimmed = cut WHERE ns = p_ns;
END
$fold$;

CREATE OR REPLACE FUNCTION ${schema}.tidy(p_ns integer, p_history bigint, p_log bigint) RETURNS void
LANGUAGE plpgsql AS $tidy$
DECLARE
  counters CONSTANT integer := ${countersOf(schema)};
BEGIN
  ${PLANNED_ONCE}
  IF pg_try_advisory_xact_lock(${FOLDING}) THEN
    PERFORM set_config('synchronous_commit', 'off', true);
    PERFORM ${schema}.fold(p_ns, p_history, p_log, (SELECT head FROM ${schema}.namespaces WHERE ns = p_ns));
  END IF;
END
$tidy$;
`;
}
