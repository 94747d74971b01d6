/** @import { Case, Row, Target, Verdict } from "../types.d.ts" */

export const BASE = "hand-written";

/**
 * @param {Case} finished
 * @param {Record<string, number>} medians
 * @returns {Row[]}
 */
export function rowsOf({ title, size, order, unit, targets }, medians) {
  return Object.entries(medians).map(([contestant, median]) => ({
    title,
    size,
    order,
    unit,
    contestant,
    median,
    ratio: ratio(medians, contestant, BASE),
    verdicts: targets.filter((target) => target.contestant === contestant).flatMap((target) => judge(target, medians)),
  }));
}

/**
 * No verdict where the other contestant does not take part.
 *
 * @param {Target} target
 * @param {Record<string, number>} medians
 * @returns {Verdict[]}
 */
function judge(target, medians) {
  const found = ratio(medians, target.contestant, target.against);
  return found === undefined ? [] : [{ ...target, ratio: found, met: found <= target.atMost }];
}

/**
 * @param {Record<string, number>} medians
 * @param {string} contestant
 * @param {string} against
 */
function ratio(medians, contestant, against) {
  const own = medians[contestant];
  const other = medians[against];
  return own === undefined || other === undefined ? undefined : own / other;
}
