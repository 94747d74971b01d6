import { PLANNED_ONCE } from "./plans.ts";

/**
 * Reading. As functions, because a statement that is not prepared is planned anew each time (measured: that is most of
 * the time of a read), and prepared statements are lost between pooled connections.
 *
 * @param schema - quoted.
 */
export function readFunctions(schema: string): string {
  return `
CREATE OR REPLACE FUNCTION ${schema}.load(p_ns integer, p_ids text[], p_known bigint[])
RETURNS TABLE (head bigint, contexts bigint, clock_ms text, id text, revision bigint, entry text)
LANGUAGE plpgsql STABLE AS $load$
#variable_conflict use_column
BEGIN
  ${PLANNED_ONCE}
  -- One row at least, for the head; an entry that the client has at its revision is not sent.
  RETURN QUERY SELECT n.head, n.contexts, (extract(epoch FROM clock_timestamp()) * 1000)::text,
      c.id, c.revision, CASE WHEN c.revision IS DISTINCT FROM k.known THEN c.entry END
    FROM ${schema}.namespaces n
      LEFT JOIN unnest(p_ids, p_known) k(id, known) ON true
      LEFT JOIN LATERAL (
        SELECT c.id, c.revision, c.entry FROM ${schema}.contexts c WHERE c.ns = p_ns AND c.id = k.id OFFSET 0
      ) c ON true
    WHERE n.ns = p_ns;
END
$load$;

CREATE OR REPLACE FUNCTION ${schema}.changes(p_ns integer, p_after bigint, p_limit bigint)
RETURNS TABLE (head bigint, oldest bigint, revision bigint, first bigint, lines text)
LANGUAGE plpgsql STABLE AS $changes$
#variable_conflict use_column
BEGIN
  ${PLANNED_ONCE}
  -- One row at least, for the head. So many revisions, since an item may have many; or the next item, where it is longer.
  RETURN QUERY SELECT n.head, n.trimmed + 1, l.revision, l.first, l.lines
    FROM ${schema}.namespaces n LEFT JOIN LATERAL (
      SELECT l.revision, l.first, l.lines FROM ${schema}.log l
      WHERE l.ns = p_ns AND l.revision > p_after AND l.revision <= greatest(p_after + p_limit, (
        SELECT o.revision FROM ${schema}.log o WHERE o.ns = p_ns AND o.revision > p_after ORDER BY o.revision LIMIT 1
      )) ORDER BY l.revision
    ) l ON true
    WHERE n.ns = p_ns ORDER BY l.revision;
END
$changes$;
`;
}
