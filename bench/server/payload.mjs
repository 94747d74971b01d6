/** What both servers answer with. */

export const CONNECTIONS = 16;
const TEXT = "Agents share their state without losing each other's work. ";

/** Data of about 1 KB of JSON. @param {number} step */
export function dataAt(step) {
  return { step, title: "plan", text: TEXT.repeat(15), tasks: [{ id: 1, owner: "ann" }] };
}
