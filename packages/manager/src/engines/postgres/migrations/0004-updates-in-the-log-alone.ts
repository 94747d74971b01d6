/**
 * What becomes of contexts that are there is in the log alone until the tables follow: `folded` is the revision up to
 * which they have, and `unfolded` how many rows of the log that are about contexts lie behind it. `gone` is the last
 * revision at which a context went. Versions that a context gets at once are one row.
 *
 * A process that still runs an older version of this package is UNAVAILABLE from then on: what it would write in the
 * log lacks a mark, and the texts of contexts and versions are in columns that it does not know.
 *
 * It also made the functions once; now a later migration does.
 *
 * @param schema - quoted.
 */
export function updatesInTheLogAlone(schema: string): string {
  return `
DROP FUNCTION IF EXISTS ${schema}.commit(integer, text, bigint, bigint, integer, integer, boolean, text, text,
  text[], bigint[], text, integer[], integer[], integer[], integer[], integer[], integer[]);
DROP FUNCTION IF EXISTS ${schema}.load(integer, text[], bigint[]);

ALTER TABLE ${schema}.namespaces
  ADD COLUMN folded bigint NOT NULL DEFAULT 0,
  ADD COLUMN unfolded integer NOT NULL DEFAULT 0,
  ADD COLUMN gone bigint NOT NULL DEFAULT 0;
UPDATE ${schema}.namespaces SET folded = head, gone = head;

ALTER TABLE ${schema}.contexts RENAME COLUMN entry TO stored;

ALTER TABLE ${schema}.versions RENAME COLUMN entry TO entries;
ALTER TABLE ${schema}.versions ALTER COLUMN revision TYPE bigint[] USING ARRAY[revision];
ALTER TABLE ${schema}.versions RENAME COLUMN revision TO revisions;

-- Who changes a context says so in ids and what follows; others is what is stored and told to nobody.
ALTER TABLE ${schema}.log
  ADD COLUMN mark bigint NOT NULL DEFAULT 0,
  ADD COLUMN others text,
  ADD COLUMN ids text[] COLLATE "C" NOT NULL DEFAULT '{}',
  ADD COLUMN at integer[] NOT NULL DEFAULT '{}',
  ADD COLUMN ranks integer[] NOT NULL DEFAULT '{}',
  ADD COLUMN keeps boolean[] NOT NULL DEFAULT '{}';
ALTER TABLE ${schema}.log
  ALTER COLUMN mark DROP DEFAULT, ALTER COLUMN others SET STORAGE EXTERNAL, ALTER COLUMN ids SET STORAGE EXTERNAL,
  ALTER COLUMN at SET STORAGE EXTERNAL, ALTER COLUMN ranks SET STORAGE EXTERNAL, ALTER COLUMN keeps SET STORAGE EXTERNAL;
ALTER TABLE ${schema}.log SET (toast_tuple_target = 4080);
`;
}
