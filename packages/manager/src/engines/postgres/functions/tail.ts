/**
 * What is in the log alone: the rows past `folded`. Each says which contexts it makes another (`ids`), as what (`at`, a
 * line of its texts), under which revision (`ranks`, counted from `first`), and whether what was there before becomes
 * history (`keeps`). A context that is created or gone is never among them: so the table has all that are there, and
 * only texts and revisions may be newer here.
 */

/** The lines of a row `l` of the log: those that are told, and behind them those that are only stored. */
export const TEXTS: string = String.raw`string_to_array(concat_ws(E'\n', nullif(l.lines, ''), l.others), E'\n')`;

/** Each time that rows past `after` make a context another. */
export function touches(schema: string, ns: string, after: string): string {
  return `SELECT unnest(l.ids) AS id, l.first - 1 + unnest(l.ranks) AS revision FROM ${schema}.log l
      WHERE l.ns = ${ns} AND l.revision > ${after}`;
}

/** The contexts that rows past `after` make another, and under which revision the last time. */
export function touched(schema: string, ns: string, after: string): string {
  return `SELECT i.id, max(i.revision) AS revision FROM (
      ${touches(schema, ns, after)}
    ) i GROUP BY i.id`;
}

/** So many contexts are faster looked for one by one than every row is taken apart. */
const FEW = 8;

/** The same, of these contexts at least. Where nothing is said of one, there may be a row without a revision. */
export function touchedOf(schema: string, ns: string, after: string, ids: string): string {
  return `SELECT a.id, ${newer(schema, ns, "a.id", after)} AS revision FROM unnest(${ids}) a(id) WHERE cardinality(${ids}) <= ${FEW}
    UNION ALL SELECT t.id, t.revision FROM (${touched(schema, ns, after)}) t WHERE cardinality(${ids}) > ${FEW}`;
}

/** Under which revision the log alone has a context last; null where it has not. */
export function newer(schema: string, ns: string, id: string, after: string): string {
  return `(SELECT l.first - 1 + (SELECT max(i.rank) FROM unnest(l.ids, l.ranks) i(id, rank) WHERE i.id = ${id})
    FROM ${schema}.log l WHERE l.ns = ${ns} AND l.revision > ${after} AND ${id} = ANY (l.ids) ORDER BY l.revision DESC LIMIT 1)`;
}

/**
 * The contexts in the log alone, with the row that the table has of each (`c`), what is to become of it, and what is then
 * history, the oldest first: often what the table has is the first of that.
 *
 * @param only - what is asked of the id `i.id`.
 */
export function news(schema: string, ns: string, after: string, through: string, only = "true"): string {
  return String.raw`SELECT c.ctid AS place, c.seq, c.first, c.next, u.revision, u.entry,
      CASE WHEN u.keeps THEN ARRAY[c.revision] ELSE '{}' END || coalesce(u.revisions, '{}') AS revisions,
      concat_ws(E'\n', CASE WHEN u.keeps THEN c.stored END, u.entries) AS entries
    FROM (
      SELECT u.id, max(u.revision) AS revision, string_agg(u.entry, '') FILTER (WHERE u.is_kept IS NULL) AS entry,
        bool_or(u.keeps) FILTER (WHERE u.is_first) AS keeps,
        array_agg(u.revision ORDER BY u.revision) FILTER (WHERE u.is_kept) AS revisions,
        string_agg(u.entry, E'\n' ORDER BY u.revision) FILTER (WHERE u.is_kept) AS entries
      FROM (
        SELECT i.id, i.keeps, i.revision, i.entry, lead(i.keeps) OVER each AS is_kept, lag(i.revision) OVER each IS NULL AS is_first
        FROM (
          -- The texts of a row are large: they go no further than here.
          SELECT i.id, i.keeps, i.first - 1 + i.rank AS revision, i.texts[i.at] AS entry FROM (
            SELECT l.first, l.texts, unnest(l.ids) AS id, unnest(l.at) AS at, unnest(l.ranks) AS rank, unnest(l.keeps) AS keeps
            FROM (
              SELECT l.first, l.ids, l.at, l.ranks, l.keeps, ${TEXTS} AS texts FROM ${schema}.log l
              WHERE l.ns = ${ns} AND l.revision > ${after} AND l.revision <= ${through} OFFSET 0
            ) l OFFSET 0
          ) i WHERE ${only} OFFSET 0
        ) i
        WINDOW each AS (PARTITION BY i.id ORDER BY i.revision)
      ) u GROUP BY u.id OFFSET 0
    ) u, LATERAL (
      SELECT c.ctid, c.seq, c.first, c.next, c.revision, c.stored
      FROM ${schema}.contexts c WHERE c.ns = ${ns} AND c.id = u.id OFFSET 0
    ) c`;
}
