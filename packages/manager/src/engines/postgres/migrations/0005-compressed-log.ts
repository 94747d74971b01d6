/**
 * Texts of the log are compressed by LZ4 where the server has it (from PostgreSQL 14 on, as most are built): a batch of
 * 64 small updates is then one row, where it was that and five pieces of a text beside it. What was written before stays as
 * it is. The compression that every server has takes too long for large texts.
 *
 * It also made the functions once; now a later migration does.
 *
 * @param schema - quoted.
 */
export function compressedLog(schema: string): string {
  return `
DO $compress$
BEGIN
  IF EXISTS (SELECT FROM pg_settings WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals)) THEN
    -- As a text: a server without it cannot even read these.
    EXECUTE $alter$
      ALTER TABLE ${schema}.log
        ALTER COLUMN lines SET STORAGE EXTENDED, ALTER COLUMN lines SET COMPRESSION lz4,
        ALTER COLUMN others SET STORAGE EXTENDED, ALTER COLUMN others SET COMPRESSION lz4;
      ALTER TABLE ${schema}.versions ALTER COLUMN entries SET COMPRESSION lz4;
      ALTER TABLE ${schema}.contexts ALTER COLUMN stored SET COMPRESSION lz4;
    $alter$;
  END IF;
END
$compress$;
`;
}
