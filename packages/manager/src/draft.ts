import { elementsOf, type Isolation, isScalar, MAX_DEPTH, setOwn } from "./data.ts";
import { idOf } from "./elements.ts";
import { isEqual, valueAt } from "./equal.ts";
import type { KnownLists } from "./known-lists.ts";
import type { Step } from "./patch.ts";
import { locate, type Place } from "./pointer.ts";

type Container = Record<string, unknown> | unknown[];
type Keys = readonly (string | number)[];

/** How the data is kept of which a draft makes what follows. */
export interface Keeping extends Pick<Isolation, "copyPart"> {
  /** What is known of its lists; `undefined` where nothing is remembered. */
  readonly lists: KnownLists | undefined;
}

/** How many keys lead to the array in which a step gives an element another id; `undefined` when it does not. */
export function depthOfRenamed({ op, value }: Step, { keys, value: old }: Place): number | undefined {
  if (typeof keys.at(-1) === "number") return op === "set" && idOf(old) !== idOf(value) ? keys.length - 1 : undefined;
  return keys.at(-1) === "id" && typeof keys.at(-2) === "number" ? keys.length - 2 : undefined;
}

/** Data in the making: containers are copied once, when something in them changes; the rest is shared. */
export class Draft {
  readonly #base: object;
  #root: object;
  readonly #keeping: Keeping | undefined;
  /** The containers that it has made. */
  readonly #made: object[] = [];
  /** The same as a set from the second step on: the first comes upon no container twice. */
  #madeBefore: Set<object> | undefined;
  /** Whether more is new in it than what it has made and what was copied for its place. */
  #isForeign = false;
  #changes = 0;
  /** Where the last one was. */
  #changed: Keys = [];

  /** @param keeping - without it, a draft can be looked at and merged; to keep it takes a copy. */
  constructor(root: object, keeping?: Keeping) {
    this.#base = root;
    this.#root = root;
    this.#keeping = keeping;
  }

  /** The data as it has become. */
  get root(): object {
    return this.#root;
  }

  /**
   * Whether it is known to differ from what it began with: one change makes a difference, of several a later one may take
   * back what an earlier one did, unless it has left something else than there was in its place.
   */
  get differs(): boolean {
    if (this.#changes < 2) return this.#changes === 1;
    return !isEqual(valueIn(this.#base, this.#changed), valueIn(this.#root, this.#changed));
  }

  /** The containers that it has made, where all else in it is ready to be kept; `undefined` where that is not known. */
  get made(): readonly object[] | undefined {
    return this.#isForeign ? undefined : this.#made;
  }

  /** What is known of the lists in it. */
  get lists(): KnownLists | undefined {
    return this.#keeping?.lists;
  }

  locate(path: readonly string[]): Place {
    return locate(this.#root, path, this.lists);
  }

  apply(step: Step, place: Place): void {
    const { op, value } = step;
    const { keys, value: old } = place;
    if (this.#made.length > 0) this.#madeBefore ??= new Set(this.#made);
    const last = keys.at(-1);
    if (last === undefined) {
      this.#root = value as object;
      this.#isForeign = true;
      return;
    }
    switch (op) {
      case "set":
        if (!isEqual(old, value)) this.#set(keys, last, value, old);
        break;
      case "remove":
        if (old !== undefined) this.#remove(keys, last);
        break;
      case "append":
        this.#append(keys, last, value);
        break;
      case "increment": {
        const sum = (old as number) + (value as number);
        if (sum !== old) this.#set(keys, last, sum, old);
        break;
      }
      default:
    }
    const depth = depthOfRenamed(step, place);
    if (depth !== undefined) this.lists?.forget(valueIn(this.#root, keys.slice(0, depth)) as unknown[]);
  }

  #set(keys: Keys, last: string | number, value: unknown, old: unknown): void {
    put(this.#parent(keys), last, this.#copyFor(keys.length + 1, value, old));
  }

  #remove(keys: Keys, last: string | number): void {
    const parent = this.#parent(keys);
    if (Array.isArray(parent)) {
      parent.splice(last as number, 1);
      this.lists?.forget(parent);
    } else {
      delete parent[last];
      this.#isForeign = true; // slow from now on, which its copy is not
    }
  }

  #append(keys: Keys, last: string | number, value: unknown): void {
    const list = this.#changeable(this.#parent(keys), last) as unknown[];
    list.push(this.#copyFor(keys.length + 2, value, undefined));
    this.lists?.append(list);
  }

  /** A value as it is kept where it is to stand, so many levels from the top. */
  #copyFor(level: number, value: unknown, old: unknown): unknown {
    if (isScalar(value)) {
      if (level > MAX_DEPTH + 1) this.#isForeign = true;
      return value;
    }
    // A part of what is still in the making may not come to stand in two places.
    const copy = this.#isMade(old) ? undefined : this.#keeping?.copyPart(value as object, level, old);
    if (copy === undefined) this.#isForeign = true;
    return copy ?? value;
  }

  /** The container in which something is to change. */
  #parent(keys: Keys): Container {
    let parent = (this.#isMade(this.#root) ? this.#root : this.#copy(this.#root)) as Container;
    this.#root = parent;
    this.#changes += 1;
    this.#changed = keys;
    for (let depth = 0; depth < keys.length - 1; depth++) {
      parent = this.#changeable(parent, keys[depth] as string | number);
    }
    return parent;
  }

  #changeable(parent: Container, key: string | number): Container {
    const value = get(parent, key) ?? {};
    if (this.#isMade(value)) return value as Container;
    const copy = this.#copy(value);
    put(parent, key, copy);
    return copy;
  }

  #isMade(value: unknown): boolean {
    return this.#madeBefore?.has(value as object) === true;
  }

  #copy(base: object): Container {
    const copy: Container = Array.isArray(base) ? elementsOf(base) : { ...base };
    if (Array.isArray(base)) this.lists?.succeed(base, copy as unknown[]);
    this.#made.push(copy);
    this.#madeBefore?.add(copy);
    return copy;
  }
}

function get(container: Container, key: string | number): unknown {
  return Array.isArray(container) ? container[key as number] : valueAt(container, String(key));
}

function valueIn(root: object, keys: Keys): unknown {
  let value: unknown = root;
  for (const key of keys) {
    if (typeof value !== "object" || value === null) return undefined;
    value = get(value as Container, key);
  }
  return value;
}

function put(container: Container, key: string | number, value: unknown): void {
  if (Array.isArray(container)) container[key as number] = value;
  else setOwn(container, String(key), value);
}
