/** A batch as the parameters that the function `commit` of the database takes, from `p_count` on. */

import type { Batch, Step, Written } from "../batch.ts";
import type { Stamp } from "./loader.ts";

/** The parameters that say what becomes of the contexts, each a list of one column. */
export function payloadOf({ count, clears, steps, lines }: Batch): readonly unknown[] {
  const { told, others } = textsOf(lines);
  const gone: string[] = [];
  const born: (Written & { readonly id: string })[] = [];
  const replaced: (Written & { readonly birth: number })[] = [];
  const items: (Written & { readonly id: string; readonly keeps: boolean })[] = [];
  for (const step of steps) {
    const { id, forgets, keepsStored, between, last } = step;
    if (forgets) gone.push(id);
    if (last === undefined) continue;
    if (isBorn(step, clears)) {
      born.push({ id, ...last });
      for (const one of between) replaced.push({ birth: born.length, ...one });
    } else {
      // What it is made in between becomes history whatever becomes of what is stored.
      for (const [index, one] of [...between, last].entries()) {
        items.push({ id, line: one.line, rank: one.rank, keeps: index > 0 || keepsStored });
      }
    }
  }
  return [
    count,
    growthOf(steps, clears),
    clears,
    told,
    others,
    steps.map(({ id }) => id),
    arrayOf(steps.map(({ expect }) => expect ?? "NULL")),
    gone,
    born.map(({ id }) => id),
    ...placesOf(born),
    arrayOf(replaced.map(({ birth }) => birth)),
    ...placesOf(replaced),
    items.map(({ id }) => id),
    ...placesOf(items),
    arrayOf(items.map(({ keeps }) => keeps)),
  ];
}

/** The parameters of `replaceOne` after the namespace; nothing where a batch is more than that. */
export function replacementOf(
  { count, clears, steps, lines }: Batch,
  mark: number,
  known: Stamp | undefined,
): readonly unknown[] | undefined {
  const [step] = steps;
  if (count !== 1 || steps.length !== 1 || step?.last === undefined || isBorn(step, clears)) return undefined;
  const { told, others } = textsOf(lines);
  const row = [mark, told ?? "", others, step.last.line + 1, step.keepsStored];
  return [step.id, step.expect, ...row, known?.revision, known?.mark];
}

/** What is there goes on, unless it is forgotten. */
function isBorn({ expect = 0, forgets }: Step, clears: boolean): boolean {
  return expect === 0 || forgets || clears;
}

/** By how many contexts there are more than before, or than none. */
function growthOf(steps: readonly Step[], clears: boolean): number {
  let growth = 0;
  for (const { expect = 0, forgets, last } of steps) {
    const wasThere = expect > 0 && !clears;
    if (last !== undefined && !wasThere) growth += 1;
    if (last === undefined && forgets) growth -= 1;
  }
  return growth;
}

/** What is told, and what is only stored. */
function textsOf({ texts, logged, hasChanges }: Batch["lines"]): Record<"told" | "others", string | null> {
  const end = hasChanges ? logged : 0;
  const text = (lines: readonly string[]): string | null => (lines.length === 0 ? null : lines.join("\n"));
  return { told: text(texts.slice(0, end)), others: text(texts.slice(end)) };
}

/** Lines are counted from 1. */
function placesOf(written: readonly Written[]): [lines: string, ranks: string] {
  return [arrayOf(written.map(({ line }) => line + 1)), arrayOf(written.map(({ rank }) => rank))];
}

/** As the server writes it: the driver takes numbers for texts that may need quotes. */
function arrayOf(values: readonly (number | string | boolean)[]): string {
  return `{${values.join(",")}}`;
}
