/**
 * For functions of statements that look up a few rows by their keys. Their plans are made once and kept, often while the
 * tables are small or have never been counted, and must be good when there are a million contexts: rows are found by
 * index, one by one. `OFFSET 0` in the statements keeps the planner from beginning at the other end. Left to itself the
 * server plans many of them anew for each call, because it knows how long the arrays are (measured: half of the time of
 * a commit).
 */
export const PLANNED_ONCE = `SET plan_cache_mode = force_generic_plan
  SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off`;
