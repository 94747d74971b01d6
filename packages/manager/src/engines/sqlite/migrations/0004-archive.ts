/**
 * `archive` has the versions that have left the log and are still part of a history, under the revisions that they had
 * there. `versions` has those that the log never had by themselves.
 */
export const archive = `
CREATE TABLE archive (
  revision INTEGER PRIMARY KEY,
  ns INTEGER NOT NULL,
  id TEXT NOT NULL,
  version INTEGER NOT NULL,
  incarnation INTEGER NOT NULL,
  past INTEGER NOT NULL,
  entry TEXT NOT NULL
);
`;
