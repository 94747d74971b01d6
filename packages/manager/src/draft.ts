import { adopt, setOwn } from "./data.ts";
import { isEqual, valueAt } from "./equal.ts";
import type { Step } from "./patch.ts";
import type { Place } from "./pointer.ts";

type Container = Record<string, unknown> | unknown[];

/** A container of a draft: what it was copied from, and where it differs. */
interface Part {
  readonly base: object;
  changed: Set<string | number>;
  /** It lacks something that was in `base`. */
  hasLost: boolean;
}

/** Data in the making: containers are copied once, when something in them changes; the rest is shared. */
export class Draft {
  #root: object;
  /** Those above before those below. */
  readonly #parts = new Map<object, Part>();

  constructor(root: object) {
    this.#root = root;
  }

  get root(): object {
    return this.#root;
  }

  apply({ op, value }: Step, { keys, value: old }: Place): void {
    const last = keys.at(-1);
    if (last === undefined) {
      this.#root = value as object;
      return;
    }
    switch (op) {
      case "set":
        if (!isEqual(old, value)) this.#put(this.#parent(keys), last, value);
        break;
      case "remove":
        if (old !== undefined) this.#drop(this.#parent(keys), last);
        break;
      case "append": {
        const array = this.#owned(this.#parent(keys), last) as unknown[];
        this.#put(array, array.length, value);
        break;
      }
      case "increment":
        if (value !== 0) this.#put(this.#parent(keys), last, (old as number) + (value as number));
        break;
      default:
    }
  }

  /** The data as it has become. The draft is over: what it has made is the store's own now, where it can be. */
  finished(): object {
    for (const [copy, { base, changed, hasLost }] of [...this.#parts].reverse()) {
      // An object from which something was deleted is slow: a copy of it is not.
      if (Array.isArray(copy) || !hasLost) adopt(copy as Container, base, changed, hasLost);
    }
    return this.#root;
  }

  #parent(keys: readonly (string | number)[]): Container {
    let parent = (this.#parts.has(this.#root) ? this.#root : this.#copy(this.#root)) as Container;
    this.#root = parent;
    for (const key of keys.slice(0, -1)) parent = this.#owned(parent, key);
    return parent;
  }

  #owned(parent: Container, key: string | number): Container {
    const value = get(parent, key) ?? {};
    if (this.#parts.has(value)) return value as Container;
    const copy = this.#copy(value);
    this.#put(parent, key, copy);
    return copy;
  }

  #copy(base: object): Container {
    const copy: Container = Array.isArray(base) ? [...(base as unknown[])] : { ...base };
    this.#parts.set(copy, { base, changed: new Set(), hasLost: false });
    return copy;
  }

  #put(container: Container, key: string | number, value: unknown): void {
    (this.#parts.get(container) as Part).changed.add(key);
    if (Array.isArray(container)) container[key as number] = value;
    else setOwn(container, String(key), value);
  }

  #drop(container: Container, key: string | number): void {
    const part = this.#parts.get(container) as Part;
    part.hasLost = true;
    if (Array.isArray(container)) {
      container.splice(key as number, 1);
      const others = [...(part.changed as Set<number>)].filter((index) => index !== key);
      part.changed = new Set(others.map((index) => (index > (key as number) ? index - 1 : index)));
    } else {
      delete container[key];
    }
  }
}

function get(container: Container, key: string | number): unknown {
  return Array.isArray(container) ? container[key as number] : valueAt(container, String(key));
}
