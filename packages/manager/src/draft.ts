import { setOwn } from "./data.ts";
import { isEqual, valueAt } from "./equal.ts";
import type { Step } from "./patch.ts";
import type { Place } from "./pointer.ts";

type Container = Record<string, unknown> | unknown[];

/** Data in the making: containers are copied once, when something in them changes; the rest is shared. */
export class Draft {
  #root: object;
  /** The containers that it has made. */
  readonly #made = new Set<object>();
  #steps = 0;
  #changes = 0;

  constructor(root: object) {
    this.#root = root;
  }

  /** The data as it has become. */
  get root(): object {
    return this.#root;
  }

  /** Whether it is known to differ from what it began with: one step that changes something does, two may cancel out. */
  get differs(): boolean {
    return this.#steps === 1 && this.#changes === 1;
  }

  apply({ op, value }: Step, { keys, value: old }: Place): void {
    this.#steps += 1;
    const last = keys.at(-1);
    if (last === undefined) {
      this.#root = value as object;
      return;
    }
    switch (op) {
      case "set":
        if (isEqual(old, value)) break;
        put(this.#parent(keys), last, value);
        this.#changes += 1;
        break;
      case "remove":
        if (old === undefined) break;
        drop(this.#parent(keys), last);
        this.#changes += 1;
        break;
      case "append":
        (this.#changeable(this.#parent(keys), last) as unknown[]).push(value);
        this.#changes += 1;
        break;
      case "increment":
        if (value !== 0) put(this.#parent(keys), last, (old as number) + (value as number));
        break;
      default:
    }
  }

  #parent(keys: readonly (string | number)[]): Container {
    let parent = (this.#made.has(this.#root) ? this.#root : this.#copy(this.#root)) as Container;
    this.#root = parent;
    for (let depth = 0; depth < keys.length - 1; depth++) {
      parent = this.#changeable(parent, keys[depth] as string | number);
    }
    return parent;
  }

  #changeable(parent: Container, key: string | number): Container {
    const value = get(parent, key) ?? {};
    if (this.#made.has(value)) return value as Container;
    const copy = this.#copy(value);
    put(parent, key, copy);
    return copy;
  }

  #copy(base: object): Container {
    const copy: Container = Array.isArray(base) ? [...(base as unknown[])] : { ...base };
    this.#made.add(copy);
    return copy;
  }
}

function get(container: Container, key: string | number): unknown {
  return Array.isArray(container) ? container[key as number] : valueAt(container, String(key));
}

function put(container: Container, key: string | number, value: unknown): void {
  if (Array.isArray(container)) container[key as number] = value;
  else setOwn(container, String(key), value);
}

function drop(container: Container, key: string | number): void {
  if (Array.isArray(container)) container.splice(key as number, 1);
  else delete container[key];
}
