/** Times as everybody reads them: in dictionaries, in answers and in the sentences of refusals. */

/** ISO 8601 up to the point, of seconds written lately: times come in crowds, and to format one costs as much as a rule. */
const seconds = new Map<number, string>();
const MANY_SECONDS = 1_000;

/** `+00:00` and not `Z`: Python reads it with `datetime.fromisoformat`, which knows no `Z` before 3.11. */
export function formatTime(time: Date | number): string {
  const whole = Math.trunc(Number(time));
  const second = Math.floor(whole / 1_000);
  let start = seconds.get(second);
  if (start === undefined) {
    start = new Date(whole).toISOString().slice(0, -"123Z".length);
    if (seconds.size >= MANY_SECONDS) seconds.clear();
    seconds.set(second, start);
  }
  return `${start}${String(whole - second * 1_000).padStart(3, "0")}+00:00`;
}
