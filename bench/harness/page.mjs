/**
 * A record of results, as a page: what wrote it, on which machine, how many targets were met, and the table.
 *
 * @param {{ title: string, written: string, facts: readonly string[], summary: string, table: string }} parts - `written`
 *   says by which command, and what the numbers are.
 */
export function resultsPage({ title, written, facts, summary, table }) {
  const lead = `Written by ${written}; \`README.md\` says how they were measured.`;
  return [`# ${title}`, "", lead, "", ...facts, "", summary, "", table, ""].join("\n");
}
