/** Server-sent events, as text. */

import type { Change } from "shared-context-manager";
import { Recent } from "shared-context-manager/serving";
import { changeText } from "./bodies.ts";

export function event(name: string | undefined, id: string | undefined, data: string): string {
  const head = `${name === undefined ? "" : `event: ${name}\n`}${id === undefined ? "" : `id: ${id}\n`}`;
  // JSON has no line breaks, so that one line of data is enough.
  return `${head}data: ${data}\n\n`;
}

interface Told {
  readonly contextId: string | null;
  readonly revision: number;
  readonly kind: string;
  readonly place: number | undefined;
  readonly text: string;
}

/** The latest event about these data: all who watch are told the same, and some later than others. */
const told = new Recent<Told, object>(8 * 2 ** 20);

/** @param place - the how manieth change of its revision it is to the watcher; `undefined` for how things are. */
export function changeEvent(change: Change, place: number | undefined): string {
  const { context, revision, kind, contextId } = change;
  const known = context && told.get(context.data);
  const isSame = known?.revision === revision && known.place === place && known.kind === kind;
  if (isSame && known.contextId === contextId) return known.text;
  const text = event(undefined, place === undefined ? undefined : `${revision}.${place}`, changeText(change));
  if (context !== undefined) told.set(context.data, { contextId, revision, kind, place, text }, text.length);
  return text;
}
