/** Operations on paths, one after the other, on data that others may have changed since. */

import { isPlainObject } from "./data.ts";
import { describe } from "./describe.ts";
import { Draft } from "./draft.ts";
import { type Edited, merged, type Misfit, sorted, type Version } from "./edited.ts";
import { areNamed, idOf, placeOfId, placesById } from "./elements.ts";
import { isEqual } from "./equal.ts";
import { chainHolds, type Chains, extendChains } from "./increments.ts";
import type { Overlap } from "./merge.ts";
import type { Step } from "./patch.ts";
import { formatPath, locate, type Place } from "./pointer.ts";
import { Touched } from "./touched.ts";

/** A step, and where it leads in what the steps before it left. */
interface Placed {
  readonly step: Step;
  readonly place: Place;
}

/**
 * What the steps of one patch change, and which of them may be done last, on whatever others have made of it. Most
 * patches never ask: what is touched is put together only for those that do.
 */
class Placement {
  readonly placed: Placed[] = [];
  /** How many of them are among what is touched. */
  #counted = 0;
  /** Whatever is changed. */
  readonly #changed = new Touched();
  /** What is said to be so, whatever it has been: nothing commutes with that. */
  readonly #fixed = new Touched();
  /** What is known to be so only if nobody else has changed it: a test has seen it, or an index leads to it. */
  readonly #pinned = new Touched();

  add(step: Step, place: Place): void {
    this.placed.push({ step, place });
  }

  /** Whether a test looks at what the patch itself has changed before. */
  sees({ tokens }: Place): boolean {
    this.#count();
    if (!this.#changed.isNear(tokens)) return false;
    this.#pinned.add(tokens);
    return true;
  }

  /** Those that add to a number or an array that no other step says what it is. */
  get adding(): Placed[] {
    const adding = this.placed.filter(({ step }) => isAdding(step));
    if (adding.length === 0) return adding;
    this.#count();
    return adding.filter(({ place }) => !this.#fixed.isNear(place.tokens));
  }

  isPinned({ place }: Placed): boolean {
    this.#count();
    return this.#pinned.isNear(place.tokens);
  }

  #count(): void {
    for (; this.#counted < this.placed.length; this.#counted++) {
      const { step, place } = this.placed[this.#counted] as Placed;
      const { tokens, byIndex } = place;
      if (!isAdding(step) || this.#fixed.isNear(tokens)) this.#fixed.add(tokens);
      else if (byIndex) this.#pinned.add(tokens);
      const renamed = renamedArray(step, place);
      if (renamed !== undefined) this.#fixed.add(renamed);
      this.#changed.add(tokens);
    }
  }
}

function isAdding({ op }: Step): boolean {
  return op === "increment" || op === "append";
}

/** The array in which an element gets another id, or none: its elements cannot be told by their ids then. */
function renamedArray({ op, value }: Step, { keys, tokens, value: old }: Place): readonly string[] | undefined {
  if (typeof keys.at(-1) === "number") {
    return op === "set" && idOf(old) !== idOf(value) ? tokens.slice(0, -1) : undefined;
  }
  return tokens.at(-1) === "id" && typeof keys.at(-2) === "number" ? tokens.slice(0, -2) : undefined;
}

export function applySteps(steps: readonly Step[], base: Version, present: Version): Edited {
  const draft = new Draft(base.data);
  const placement = new Placement();
  const failed: Overlap[] = [];
  for (const step of steps) {
    const place = locate(draft.root, step.path);
    if (step.op === "test") {
      if (!holds(step, base, present, placement.sees(place) ? place : undefined)) {
        failed.push(failedTest(step, base, present));
      }
      continue;
    }
    const misfit = misfitOf(step, place);
    if (misfit !== undefined) return failed.length > 0 ? { overlaps: sorted(failed) } : { misfit };
    draft.apply(step, place);
    placement.add(step, place);
  }
  const { adding } = placement;
  const commuting = adding.filter((one) => !placement.isPinned(one));
  if (base.data === present.data) {
    if (failed.length > 0) return { overlaps: sorted(failed) };
    return { ...withChains(draft.root, commuting, present), differs: draft.differs };
  }
  for (const one of adding) {
    const stranger = strangerTo(one, placement.isPinned(one), base, present, draft.root);
    if (stranger !== undefined) failed.push(stranger);
  }
  const fixed = commuting.length === 0 ? draft : new Draft(base.data);
  if (fixed !== draft) {
    for (const one of placement.placed) if (!commuting.includes(one)) fixed.apply(one.step, one.place);
  }
  const result = merged(fixed.root, base, present, failed);
  return commuting.length === 0 || !("data" in result) ? result : addedTo(result.data, commuting, present);
}

/** On what others have made of it. */
function addedTo(data: object, commuting: readonly Placed[], present: Version): Edited {
  const last = new Draft(data);
  for (const { step, place } of commuting) {
    const inPresent = locate(last.root, place.tokens);
    // The same element appended by two is there once.
    if (step.op === "append" && hasIdOf(inPresent.value, step.value)) continue;
    const misfit = misfitOf(step, inPresent);
    if (misfit !== undefined) return { misfit };
    last.apply(step, inPresent);
  }
  return withChains(last.root, commuting, present);
}

function withChains(
  data: object,
  commuting: readonly Placed[],
  present: Version,
): { readonly data: object; readonly chains: Chains | undefined } {
  const increments = commuting.filter(({ step }) => step.op === "increment").map(({ place }) => place.tokens);
  return { data, chains: extendChains(present, increments, data) };
}

/**
 * A test is of what is there now. What the patch itself has changed before, `own`, it can be sure of only if nobody
 * else has changed that.
 */
function holds({ path, value }: Step, base: Version, present: Version, own: Place | undefined): boolean {
  const theirs = locate(present.data, path).value;
  if (own === undefined) return isEqual(theirs, value);
  return isEqual(own.value, value) && isEqual(locate(base.data, path).value, theirs);
}

function failedTest({ path, value }: Step, base: Version, present: Version): Overlap {
  const { tokens, value: theirs } = locate(present.data, path);
  return { path: formatPath(tokens), base: locate(base.data, path).value, yours: value, theirs };
}

function misfitOf({ op, path, value }: Step, place: Place): Misfit | undefined {
  const { deadEnd } = place;
  const at = formatPath(path);
  const misfit = (expected: string, received: unknown): Misfit => ({
    path: at,
    expected,
    received: received === undefined ? "nothing" : describe(received),
  });
  if (deadEnd !== undefined && (op !== "remove" || deadEnd.misshapen)) {
    return { path: at, expected: deadEnd.expected, received: deadEnd.received };
  }
  switch (op) {
    case "set":
      return path.length > 0 || isPlainObject(value) ? undefined : misfit("a plain object as the whole data", value);
    case "remove":
      return path.length > 0 ? undefined : misfit("a path to a part of the data; delete removes all of it", "");
    case "append":
      if (!Array.isArray(place.value)) return misfit("an array to append to", place.value);
      return hasIdOf(place.value, value)
        ? misfit("an element whose id is not in the array yet; set replaces one", value)
        : undefined;
    default:
      return typeof place.value === "number" ? undefined : misfit("a number to increment", place.value);
  }
}

/**
 * A step that does not commute with what others have done in its place: an increment where the number was set, an
 * append where the array has changed in another way than by appending; what is pinned, with nothing.
 */
function strangerTo(
  { step, place }: Placed,
  isPinned: boolean,
  base: Version,
  present: Version,
  draft: object,
): Overlap | undefined {
  const path = formatPath(place.tokens);
  const inBase = locate(base.data, place.tokens).value;
  const theirs = locate(present.data, place.tokens).value;
  if (isEqual(inBase, theirs)) return undefined;
  const commutes =
    step.op === "append"
      ? takesAppended(inBase, theirs, step.value)
      : chainHolds(path, base.version, inBase, theirs, present.chains);
  if (commutes && !isPinned) return undefined;
  return { path, base: inBase, yours: locate(draft, place.tokens).value, theirs };
}

function takesAppended(base: unknown, theirs: unknown, value: unknown): boolean {
  if (!Array.isArray(base) || !Array.isArray(theirs)) return false;
  const id = idOf(value);
  const places = id === undefined ? undefined : placesById(theirs);
  if (id !== undefined && places !== undefined && placesById(base)?.has(id) === false) {
    const place = places.get(id);
    return place === undefined || isEqual(theirs[place], value);
  }
  return base.length <= theirs.length && isEqual(base, theirs.slice(0, base.length));
}

/** Whether an array of elements with an `id` each has one with this `id`. */
function hasIdOf(elements: unknown, value: unknown): boolean {
  const id = idOf(value);
  if (id === undefined || !Array.isArray(elements)) return false;
  return placeOfId(elements, id) !== undefined && areNamed(elements);
}
