import { PLANNED_ONCE } from "./plans.ts";

/**
 * The compare-and-set of many transactions in one round trip. It knows revisions and nothing else: no rule is here.
 *
 * The counter row is taken last, after everything that can be compared without it has been, and held until the commit:
 * so revisions become visible in their order, which a sequence does not promise. Whoever has it is the only writer of
 * the namespace. If the counter has moved since the contexts were looked at, they are looked at once more; if somebody
 * was faster, they are compared again, now with nobody to interfere. No other row is ever waited for, so there is no
 * deadlock.
 *
 * Of the writes to one context only the last reaches `contexts`. `state` is what each context is at: a revision, 0 for
 * nothing, or the placeholder of the transaction of this commit that wrote it. Texts are templates for `format`: `%n$s`
 * is the revision of the n-th transaction; after those come the entries written, so that the log need not repeat them.
 * All texts of a kind are filled in at once, joined by a character that JSON never contains.
 *
 * @param schema - quoted.
 */
export function commitFunction(schema: string): string {
  return `
CREATE OR REPLACE FUNCTION ${schema}.commit(
  p_ns integer, p_attempt text, p_history bigint, p_log bigint,
  p_ids text[],
  p_ops text[], p_changes text[], p_clears boolean[], p_ends integer[],
  p_slots integer[], p_expects bigint[], p_acts "char"[], p_keeps "char"[], p_nexts text[]
) RETURNS text LANGUAGE plpgsql SET lock_timeout = '8s' ${PLANNED_ONCE} AS $commit$
DECLARE
  slots CONSTANT integer := coalesce(cardinality(p_ids), 0);
  nothing CONSTANT integer[] := array_fill(0, ARRAY[slots]);
  was bigint[];                 -- by context: its revision before
  now_at bigint[];
  state bigint[];               -- by context: what it is at
  last integer[];               -- by context: the write that it is left by
  born integer[];               -- by context: the write that made it
  gone integer[];               -- by context: the write that its row goes by
  forgotten integer[];          -- by context: the write that forgot its history
  kept_stored integer[];        -- contexts whose row becomes history
  kept integer[];               -- writes that became history in this commit
  kept_by integer[];            -- their transactions
  places integer[];             -- by transaction: its place among those that fit
  revisions text[];
  parts text[];
  logged text[];
  fitting integer;
  growth integer;
  cleared boolean;
  fits boolean;
  seen bigint;                  -- the counter when the contexts were looked at
  base bigint;                  -- the counter before
  base_contexts bigint;
  base_trimmed bigint;
  counters integer;             -- which table of counters this is, of all schemas
  cut bigint;
  begins integer;
  s integer;
  place integer;
BEGIN
  LOOP
    SELECT (SELECT head FROM ${schema}.namespaces WHERE ns = p_ns),
        coalesce(array_agg(coalesce(c.revision, 0) ORDER BY i.slot), '{}') INTO seen, now_at
      FROM (SELECT p_ns AS ns, id, slot FROM unnest(p_ids) WITH ORDINALITY i(id, slot) OFFSET 0) i
        LEFT JOIN ${schema}.contexts c ON c.ns = i.ns AND c.id = i.id;
    EXIT WHEN base IS NOT NULL AND now_at = was;

    was := now_at;
    state := was;
    last := nothing;
    born := nothing;
    gone := nothing;
    forgotten := nothing;
    kept_stored := '{}';
    kept := '{}';
    kept_by := '{}';
    places := '{}';
    cleared := false;
    fitting := 0;
    growth := 0;
    begins := 1;
    FOR t IN 1 .. cardinality(p_ops) LOOP
      fits := true;
      FOR i IN begins .. p_ends[t] LOOP
        IF state[p_slots[i]] <> p_expects[i] THEN
          fits := false;
          EXIT;
        END IF;
      END LOOP;
      IF fits THEN
        fitting := fitting + 1;
        places[t] := fitting;
        IF p_clears[t] THEN
          cleared := true;
          growth := 0;
          state := nothing;
          last := nothing;
          kept_stored := '{}';
          kept := '{}';
          kept_by := '{}';
        END IF;
        FOR i IN begins .. p_ends[t] LOOP
          CONTINUE WHEN p_acts[i] = 'c';
          s := p_slots[i];
          IF p_keeps[i] = 'f' THEN
            forgotten[s] := i;
          ELSIF p_keeps[i] = 'k' AND p_history > 0 AND state[s] <> 0 THEN
            IF last[s] = 0 THEN
              kept_stored := kept_stored || s;
            ELSE
              kept := kept || last[s];
              kept_by := kept_by || (-state[s])::integer;
            END IF;
          END IF;
          IF p_acts[i] = 'd' OR p_keeps[i] = 'f' THEN
            IF state[s] <> 0 THEN
              growth := growth - 1;
            END IF;
            gone[s] := i;
            state[s] := 0;
            last[s] := 0;
          END IF;
          IF p_acts[i] = 's' THEN
            IF state[s] = 0 THEN
              growth := growth + 1;
              born[s] := i;
            END IF;
            last[s] := i;
            state[s] := -t;
          END IF;
        END LOOP;
      ELSE
        places[t] := NULL;
      END IF;
      begins := p_ends[t] + 1;
    END LOOP;
    IF fitting = 0 AND base IS NULL THEN
      RETURN repeat(',', cardinality(p_ops) - 1) || ';0';
    END IF;

    IF base IS NULL THEN
      UPDATE ${schema}.namespaces
        SET head = head + fitting, contexts = CASE WHEN cleared THEN growth ELSE contexts + growth END
        WHERE ns = p_ns
        RETURNING head - fitting, CASE WHEN cleared THEN NULL ELSE contexts - growth END, trimmed, tableoid
        INTO STRICT base, base_contexts, base_trimmed, counters;
      IF EXISTS (SELECT FROM ${schema}.void WHERE attempt = p_attempt) THEN
        RAISE EXCEPTION 'attempt % was given up by its client', p_attempt;
      END IF;
      EXIT WHEN base = seen;
    ELSE
      UPDATE ${schema}.namespaces
        SET head = base + fitting, contexts = CASE WHEN cleared THEN growth ELSE base_contexts + growth END
        WHERE ns = p_ns;
    END IF;
  END LOOP;

  -- In a loop and not in a query: a query costs as much as a hundred turns.
  revisions := '{}';
  FOREACH place IN ARRAY places LOOP
    revisions := revisions || (base + place)::text;
  END LOOP;
  -- An entry that builds on a transaction that did not happen is not written either, so its text does not matter.
  parts := revisions
    || string_to_array(format(array_to_string(p_nexts, E'\\x01', ''), VARIADIC revisions), E'\\x01');
  logged := string_to_array(format(array_to_string(p_changes, E'\\x01', ''), VARIADIC parts), E'\\x01');

  IF cleared THEN
    DELETE FROM ${schema}.versions WHERE ns = p_ns;
  ELSIF forgotten <> nothing THEN
    DELETE FROM ${schema}.versions v
      USING (SELECT p_ns AS ns, p_ids[i] AS id FROM unnest(forgotten) WITH ORDINALITY f(write, i)
        WHERE write <> 0 OFFSET 0) f
      WHERE v.ns = f.ns AND v.id = f.id;
  END IF;
  IF kept_stored <> '{}' THEN
    INSERT INTO ${schema}.versions (ns, id, revision, entry)
      SELECT c.ns, c.id, c.revision, c.entry
      FROM (SELECT p_ns AS ns, p_ids[i] AS id FROM unnest(kept_stored) i WHERE forgotten[i] = 0 OFFSET 0) k
        JOIN ${schema}.contexts c ON c.ns = k.ns AND c.id = k.id;
  END IF;
  IF kept <> '{}' THEN
    INSERT INTO ${schema}.versions (ns, id, revision, entry)
      SELECT p_ns, p_ids[p_slots[i]], revisions[t]::bigint, parts[cardinality(revisions) + i]
      FROM unnest(kept, kept_by) k(i, t)
      WHERE forgotten[p_slots[i]] <= i;
  END IF;
  -- Most of the time history may run over a little: history() reads no more than it should.
  IF (kept_stored <> '{}' OR kept <> '{}') AND random() < 0.125 THEN
    DELETE FROM ${schema}.versions v
      USING (SELECT k.ns, k.id, o.revision AS cut
        FROM (SELECT DISTINCT p_ns AS ns, p_ids[i] AS id FROM (
            SELECT unnest(kept_stored) UNION ALL SELECT p_slots[w] FROM unnest(kept) w) k(i) OFFSET 0) k,
          LATERAL (SELECT o.revision FROM ${schema}.versions o WHERE o.ns = k.ns AND o.id = k.id
            ORDER BY o.revision DESC OFFSET p_history LIMIT 1) o
        OFFSET 0) k
      WHERE v.ns = k.ns AND v.id = k.id AND v.revision <= k.cut;
  END IF;

  IF cleared THEN
    DELETE FROM ${schema}.contexts WHERE ns = p_ns;
  ELSIF gone <> nothing THEN
    DELETE FROM ${schema}.contexts c
      USING (SELECT p_ns AS ns, p_ids[i] AS id FROM unnest(gone) WITH ORDINALITY g(write, i)
        WHERE write <> 0 AND was[i] <> 0 OFFSET 0) g
      WHERE c.ns = g.ns AND c.id = g.id;
  END IF;
  -- What was not made in this commit was there.
  IF last <> born THEN
    UPDATE ${schema}.contexts c
      SET revision = revisions[-state[i]]::bigint, entry = parts[cardinality(revisions) + last[i]]
      FROM (SELECT p_ns AS ns, p_ids[i] AS id, i FROM unnest(last) WITH ORDINALITY l(write, i)
        WHERE write <> 0 AND born[i] = 0 OFFSET 0) r
      WHERE c.ns = r.ns AND c.id = r.id;
  END IF;
  IF born <> nothing THEN
    INSERT INTO ${schema}.contexts (ns, id, revision, entry)
      SELECT p_ns, p_ids[i], revisions[-state[i]]::bigint, parts[cardinality(revisions) + last[i]]
      FROM unnest(born) WITH ORDINALITY b(write, i)
      WHERE write <> 0 AND last[i] <> 0 ORDER BY write;
  END IF;

  INSERT INTO ${schema}.log (ns, revision, op, changes)
    SELECT p_ns, revisions[t]::bigint, op, logged[t]
    FROM unnest(p_ops) WITH ORDINALITY x(op, t)
    WHERE p_changes[t] IS NOT NULL AND revisions[t] IS NOT NULL;
  -- A long backlog goes piece by piece, so that no commit takes long.
  IF base / 256 <> (base + fitting) / 256 THEN
    cut := least(base + fitting - p_log, base_trimmed + 4096);
    IF cut > base_trimmed THEN
      -- Not from the beginning: there the index still has what was deleted before.
      DELETE FROM ${schema}.log WHERE ns = p_ns AND revision > base_trimmed AND revision <= cut;
      UPDATE ${schema}.namespaces SET trimmed = cut WHERE ns = p_ns;
    END IF;
  END IF;

  -- Listeners share this lock: whether there are any, is told after a semicolon.
  RETURN array_to_string(revisions, ',', '') || ';'
    || (NOT pg_try_advisory_xact_lock(counters, p_ns))::integer;
END
$commit$;
`;
}
