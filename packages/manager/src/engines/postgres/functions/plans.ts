/**
 * For functions of statements that look up a few rows by their keys. Their plans are made once and kept, often while the
 * tables are small or have never been counted, and must be good when there are a million contexts: rows are found by
 * index, one by one. `OFFSET 0` in the statements keeps the planner from beginning at the other end. Left to itself the
 * server plans many of them anew for each call, because it knows how long the arrays are (measured: half of the time of
 * a commit).
 */
const SETTINGS = {
  plan_cache_mode: "force_generic_plan",
  enable_seqscan: "off",
  enable_hashjoin: "off",
  enable_mergejoin: "off",
  enable_bitmapscan: "off",
  jit: "off",
  lock_timeout: "8s",
} as const;

function settingThem(isLocal: boolean): string {
  return Object.entries(SETTINGS)
    .map(([name, value]) => `set_config('${name}', '${value}', ${isLocal})`)
    .join(", ");
}

/**
 * For a connection that nobody else uses, and for as long as it lives. Where a proxy stands between, another process
 * serves it than the one that it was told of: then there is no row, and nothing is set.
 */
export const SET_ONCE: string = `SELECT ${settingThem(false)} WHERE pg_backend_pid() = $1::integer`;

/**
 * How a function begins. Where the connection has not been set up, behind a proxy that gives every transaction another
 * one, it sets what it needs until the end of the transaction. `SET` clauses of a function would do so at each call
 * (measured: a third of the time of a read).
 */
export const PLANNED_ONCE: string = `IF current_setting('plan_cache_mode') <> 'force_generic_plan' THEN
    PERFORM ${settingThem(true)};
  END IF;`;
