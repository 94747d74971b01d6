import { PLANNED_ONCE } from "./plans.ts";
import { news, TEXTS, touched, touchedOf } from "./tail.ts";

/**
 * Reading. As functions, because a statement that is not prepared is planned anew each time (measured: that is most of
 * the time of a read), and prepared statements are lost between pooled connections.
 *
 * @param schema - quoted.
 */
export function readFunctions(schema: string): string {
  return `
-- What a context has been made under a revision that is in the log alone.
CREATE OR REPLACE FUNCTION ${schema}.text_at(p_ns integer, p_id text, p_revision bigint) RETURNS text
LANGUAGE sql STABLE AS $text_at$
  SELECT (${TEXTS})[i.at] FROM ${schema}.log l, unnest(l.ids, l.at, l.ranks) i(id, at, rank)
  WHERE l.ns = p_ns AND l.revision >= p_revision AND l.first <= p_revision
    AND i.id = p_id AND i.rank = p_revision - l.first + 1;
$text_at$;

CREATE OR REPLACE FUNCTION ${schema}.present(p_ns integer, p_ids text[], p_known bigint[])
RETURNS TABLE (id text, revision bigint, entry text)
LANGUAGE plpgsql STABLE AS $present$
#variable_conflict use_column
BEGIN
  ${PLANNED_ONCE}
  -- An entry that the client has at its revision is not sent.
  RETURN QUERY SELECT c.id, greatest(k.revision, c.revision), CASE
        WHEN greatest(k.revision, c.revision) = k.known THEN NULL
        WHEN k.revision > c.revision THEN ${schema}.text_at(p_ns, c.id, k.revision) ELSE c.stored
      END
    FROM (
        SELECT u.id, max(u.known) AS known, max(u.revision) AS revision FROM (
          SELECT a.id COLLATE "C" AS id, a.known, NULL::bigint AS revision, true AS is_asked
            FROM unnest(p_ids, p_known) a(id, known)
          UNION ALL SELECT t.id, NULL, t.revision, NULL FROM (
            ${touchedOf(schema, "p_ns", `(SELECT n.folded FROM ${schema}.namespaces n WHERE n.ns = p_ns)`, "p_ids")}
          ) t
        ) u GROUP BY u.id HAVING bool_or(u.is_asked) OFFSET 0
      ) k,
      LATERAL (
        SELECT c.id, c.revision, c.stored FROM ${schema}.contexts c WHERE c.ns = p_ns AND c.id = k.id OFFSET 0
      ) c;
END
$present$;

CREATE OR REPLACE FUNCTION ${schema}.page(p_ns integer, p_after bigint, p_prefix text, p_limit bigint)
RETURNS TABLE (head bigint, seq bigint, id text, revision bigint, entry text)
LANGUAGE plpgsql STABLE AS $page$
#variable_conflict use_column
BEGIN
  ${PLANNED_ONCE}
  RETURN QUERY SELECT n.head, c.seq, c.id, c.revision,
      CASE WHEN c.is_newer THEN ${schema}.text_at(p_ns, c.id, c.revision) ELSE c.stored END
    FROM (
        SELECT n.head, (
          SELECT jsonb_object_agg(t.id, t.revision) FROM (${touched(schema, "p_ns", "n.folded")}) t
        ) AS newer FROM ${schema}.namespaces n WHERE n.ns = p_ns OFFSET 0
      ) n LEFT JOIN LATERAL (
        SELECT c.seq, c.id, c.stored, coalesce((n.newer->>c.id)::bigint, c.revision) AS revision,
          n.newer ? c.id AS is_newer
        FROM ${schema}.contexts c WHERE c.ns = p_ns AND c.seq > p_after AND starts_with(c.id, p_prefix)
        ORDER BY c.seq LIMIT p_limit
      ) c ON true
    ORDER BY c.seq;
END
$page$;

CREATE OR REPLACE FUNCTION ${schema}.versions_of(p_ns integer, p_id text, p_limit bigint)
RETURNS TABLE (number bigint, revisions bigint[], entries text)
LANGUAGE plpgsql STABLE AS $versions_of$
#variable_conflict use_column
BEGIN
  ${PLANNED_ONCE}
  RETURN QUERY SELECT v.number, v.revisions, v.entries FROM ${schema}.contexts c JOIN ${schema}.versions v
      ON v.ns = c.ns AND v.seq = c.seq AND v.number >= c.first AND v.number + cardinality(v.revisions) > c.next - p_limit
      WHERE c.ns = p_ns AND c.id = p_id
    UNION ALL SELECT n.next, n.revisions, n.entries FROM (
      ${news(schema, "p_ns", `(SELECT n.folded FROM ${schema}.namespaces n WHERE n.ns = p_ns)`, "9223372036854775807", "i.id = p_id")}
    ) n WHERE n.revisions <> '{}'
    ORDER BY number;
END
$versions_of$;

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
