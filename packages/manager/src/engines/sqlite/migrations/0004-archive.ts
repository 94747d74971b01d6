/**
 * `archive` has the versions that have left the log and are still part of a history, under the revisions that they had
 * there. What was in `contexts` alone has a negative number. `past` leads to both. `versions` has what was kept before
 * there was an archive.
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
