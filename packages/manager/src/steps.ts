/** Operations on paths, one after the other, on data that others may have changed since. */

import { isPlainObject } from "./data.ts";
import { describe } from "./describe.ts";
import { depthOfRenamed, Draft, type Keeping } from "./draft.ts";
import { type Edited, merged, type Misfit, sorted, type Version } from "./edited.ts";
import { areNamed, idOf, placesById } from "./elements.ts";
import { isEqual } from "./equal.ts";
import { chainHolds, type Chains, extendChains } from "./increments.ts";
import { type KnownLists, placeKnown } from "./known-lists.ts";
import type { Overlap } from "./merge.ts";
import type { Step } from "./patch.ts";
import { formatPath, locate, type Place } from "./pointer.ts";
import { Touched } from "./touched.ts";

/** A step, and where it leads in what the steps before it left. */
interface Placed {
  readonly step: Step;
  readonly place: Place;
}

/** What is touched by steps, by what is known of it afterwards. */
class Footprint {
  /** Whatever is changed. */
  readonly changed = new Touched();
  /** What is said to be so, whatever it has been: nothing commutes with that. */
  readonly fixed = new Touched();
  /** What is known to be so only if nobody else has changed it: a test has seen it, or an index leads to it. */
  readonly pinned = new Touched();

  add({ step, place }: Placed): void {
    const { tokens, byIndex } = place;
    if (!isAdding(step) || this.fixed.isNear(tokens)) this.fixed.add(tokens);
    else if (byIndex) this.pinned.add(tokens);
    // The elements of an array in which one gets another id cannot be told by their ids.
    const depth = depthOfRenamed(step, place);
    if (depth !== undefined) this.fixed.add(tokens.slice(0, depth));
    this.changed.add(tokens);
  }
}

/**
 * The steps of one patch that have been done, and which of them may be done last, on whatever others have made of it.
 * Most patches never ask: what is touched is put together only for those that do.
 */
class Placement {
  readonly placed: Placed[] = [];
  #hasAdding = false;
  #footprint: Footprint | undefined;
  /** How many of the steps are in it. */
  #counted = 0;

  add(step: Step, place: Place): void {
    this.placed.push({ step, place });
    if (isAdding(step)) this.#hasAdding = true;
  }

  /** Whether a test looks at what the patch itself has changed before. */
  sees({ tokens }: Place): boolean {
    if (this.placed.length === 0) return false;
    const { changed, pinned } = this.#touched();
    if (!changed.isNear(tokens)) return false;
    pinned.add(tokens);
    return true;
  }

  /** Those that add to a number or an array that no other step says what it is. */
  get adding(): readonly Placed[] {
    if (!this.#hasAdding) return NONE;
    const { fixed } = this.#touched();
    return this.placed.filter(({ step, place }) => isAdding(step) && !fixed.isNear(place.tokens));
  }

  isPinned({ place }: Placed): boolean {
    return this.#touched().pinned.isNear(place.tokens);
  }

  #touched(): Footprint {
    const footprint = (this.#footprint ??= new Footprint());
    for (; this.#counted < this.placed.length; this.#counted++) footprint.add(this.placed[this.#counted] as Placed);
    return footprint;
  }
}

const NONE: readonly Placed[] = [];

function isAdding({ op }: Step): boolean {
  return op === "increment" || op === "append";
}

/** @param keeping - how `present` is kept, where what is made of it shall be ready to be kept too. */
export function applySteps(steps: readonly Step[], base: Version, present: Version, keeping?: Keeping): Edited {
  const isPresent = base.data === present.data;
  const draft = new Draft(base.data, isPresent ? keeping : undefined);
  const placement = new Placement();
  const failed: Overlap[] = [];
  for (const step of steps) {
    const place = draft.locate(step.path);
    const misfit = misfitOf(step, place, draft.lists);
    if (misfit !== undefined) return failed.length > 0 ? { overlaps: sorted(failed) } : { misfit };
    if (step.op === "test") {
      const own = placement.sees(place) ? place : undefined;
      const theirs = draft.root === present.data ? place : locate(present.data, step.path);
      if (!holds(step, base, theirs, own)) failed.push(failedTest(step, base, theirs));
      continue;
    }
    draft.apply(step, place);
    placement.add(step, place);
  }
  const { adding } = placement;
  const isPinned = (one: Placed): boolean => {
    return placement.isPinned(one) || (!isPresent && isInOneValue(present.data, one.place.tokens));
  };
  const commuting = adding.filter((one) => !isPinned(one));
  if (isPresent) {
    if (failed.length > 0) return { overlaps: sorted(failed) };
    const { root: data, differs, made } = draft;
    return { data, chains: chainsAfter(commuting, present, data), differs, made };
  }
  for (const one of adding) {
    const stranger = strangerTo(one, isPinned(one), base, present, draft.root);
    if (stranger !== undefined) failed.push(stranger);
  }
  const fixed = commuting.length === 0 ? draft : new Draft(base.data);
  if (fixed !== draft) {
    for (const one of placement.placed) if (!commuting.includes(one)) fixed.apply(one.step, one.place);
  }
  const result = merged(fixed.root, base, present, failed);
  return commuting.length === 0 || !("data" in result) ? result : addedTo(result.data, commuting, present);
}

/** Whether a path leads into an array that others have left with elements without names: that is one value. */
function isInOneValue(data: object, tokens: readonly string[]): boolean {
  let value: unknown = data;
  for (const token of tokens) {
    if (Array.isArray(value) && !areNamed(value)) return true;
    ({ value } = locate(value, [token]));
  }
  return false;
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
  return { data: last.root, chains: chainsAfter(commuting, present, last.root) };
}

function chainsAfter(commuting: readonly Placed[], present: Version, data: object): Chains | undefined {
  if (commuting.length === 0) return present.chains;
  const increments = commuting.filter(({ step }) => step.op === "increment").map(({ place }) => place.tokens);
  return extendChains(present, increments, data);
}

/**
 * A test is of what is there now. What the patch itself has changed before, `own`, it can be sure of only if nobody
 * else has changed that.
 */
function holds({ path, value }: Step, base: Version, theirs: Place, own: Place | undefined): boolean {
  if (own === undefined) return isEqual(theirs.value, value);
  return isEqual(own.value, value) && isEqual(locate(base.data, path).value, theirs.value);
}

function failedTest({ path, value }: Step, base: Version, theirs: Place): Overlap {
  return { path: formatPath(theirs.tokens), base: locate(base.data, path).value, yours: value, theirs: theirs.value };
}

function misfitOf({ op, path, value }: Step, place: Place, lists?: KnownLists): Misfit | undefined {
  const { deadEnd } = place;
  const toleratesAbsence = op === "remove" || op === "test";
  if (deadEnd !== undefined && (deadEnd.misshapen || !toleratesAbsence)) {
    return { path: formatPath(path), expected: deadEnd.expected, received: deadEnd.received };
  }
  switch (op) {
    case "set":
      return path.length > 0 || isPlainObject(value)
        ? undefined
        : misfitAt(path, "a plain object as the whole data", value);
    case "remove":
      return path.length > 0 ? undefined : misfitAt(path, "a path to a part of the data; delete removes all of it", "");
    case "append":
      if (!Array.isArray(place.value)) return misfitAt(path, "an array to append to", place.value);
      return hasIdOf(place.value, value, lists)
        ? misfitAt(path, "an element whose id is not in the array yet; set replaces one", value)
        : undefined;
    case "test":
      return undefined;
    default:
      return typeof place.value === "number" ? undefined : misfitAt(path, "a number to increment", place.value);
  }
}

function misfitAt(path: readonly string[], expected: string, received: unknown): Misfit {
  return { path: formatPath(path), expected, received: received === undefined ? "nothing" : describe(received) };
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
function hasIdOf(elements: unknown, value: unknown, lists?: KnownLists): boolean {
  const id = idOf(value);
  if (id === undefined || !Array.isArray(elements)) return false;
  return placeKnown(elements, id, lists) !== undefined && areNamed(elements);
}
