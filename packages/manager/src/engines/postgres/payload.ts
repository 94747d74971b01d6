/** A batch as the parameters that the function `commit` of the database takes, from `p_count` on. */

import type { Batch, Step } from "../batch.ts";

export function payloadOf({ count, clears, steps, lines }: Batch): readonly unknown[] {
  const between = steps.flatMap((step, index) => step.between.map(({ line, rank }) => [index + 1, line + 1, rank]));
  return [
    count,
    growthOf(steps, clears),
    clears,
    lines.hasChanges ? lines.texts.slice(0, lines.logged).join("\n") : null,
    lines.texts.slice(lines.hasChanges ? lines.logged : 0).join("\n"),
    steps.map(({ id }) => id),
    arrayOf(steps.map(({ expect }) => expect ?? "NULL")),
    steps.map((step) => actOf(step, clears)).join(""),
    arrayOf(steps.map(({ last }) => (last === undefined ? 0 : last.line + 1))),
    arrayOf(steps.map(({ last }) => last?.rank ?? 0)),
    arrayOf(steps.map((step) => step.between.length)),
    ...[0, 1, 2].map((column) => arrayOf(between.map((numbers) => numbers[column] ?? 0))),
  ];
}

/** The parameters of `replaceOne` after the namespace; nothing where a batch is more than that. */
export function replacementOf({ count, steps, lines }: Batch, historyLimit: number): readonly unknown[] | undefined {
  const [step] = steps;
  if (count !== 1 || steps.length !== 1 || step === undefined || !lines.hasChanges) return undefined;
  const { id, expect = 0, forgets, keepsStored, last } = step;
  if (expect === 0 || forgets || last === undefined) return undefined;
  const { texts, logged } = lines;
  return [id, expect, historyLimit, keepsStored, texts.slice(0, logged).join("\n"), texts[last.line]];
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

function actOf({ expect = 0, forgets, keepsStored, last }: Step, clears: boolean): string {
  if (forgets) return "f";
  if (last === undefined) return "c";
  if (expect === 0 || clears) return "b";
  return keepsStored ? "k" : "r";
}

/** As the server writes it: the driver takes numbers for texts that may need quotes. */
function arrayOf(numbers: readonly (number | string)[]): string {
  return `{${numbers.join(",")}}`;
}
