/**
 * Advisory locks, which end with their transaction, by the table of counters (`counters`, as there may be several schemas)
 * and the namespace. Whoever needs two of them takes them in this order, and the row of the counter last.
 */

/** The table of counters, as a number. A constant: the function need not look for it. @param schema - quoted. */
export function countersOf(schema: string): string {
  return `'${schema.replaceAll("'", "''")}.namespaces'::regclass::oid::integer`;
}

/** Commits queue here: only the one in front looks at what is there, and finds the counter free. */
export const COMMITTING = "(counters::bigint << 32) + p_ns";
/** Who brings the tables up to date with the log, or takes contexts from them. */
export const FOLDING = "counters, -p_ns";
/** Listeners share it. */
export const LISTENING = "counters, p_ns";
