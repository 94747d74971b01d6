import { setOwn } from "./data.ts";
import { isEqual, valueAt } from "./equal.ts";
import type { Step } from "./patch.ts";
import type { Place } from "./pointer.ts";

type Container = Record<string, unknown> | unknown[];

/** Data in the making: containers are copied once, when something in them changes; the rest is shared. */
export class Draft {
  root: object;
  readonly #own = new Set<object>();

  constructor(root: object) {
    this.root = root;
  }

  apply({ op, value }: Step, { keys, value: old }: Place): void {
    const last = keys.at(-1);
    if (last === undefined) {
      this.root = value as object;
      return;
    }
    switch (op) {
      case "set":
        if (!isEqual(old, value)) put(this.#parent(keys), last, value);
        break;
      case "remove":
        if (old !== undefined) drop(this.#parent(keys), last);
        break;
      case "append":
        (this.#owned(this.#parent(keys), last) as unknown[]).push(value);
        break;
      case "increment":
        if (value !== 0) put(this.#parent(keys), last, (old as number) + (value as number));
        break;
      default:
    }
  }

  #parent(keys: readonly (string | number)[]): Container {
    let parent = this.#own.has(this.root) ? this.root : this.#copy(this.root);
    this.root = parent;
    for (const key of keys.slice(0, -1)) parent = this.#owned(parent as Container, key);
    return parent as Container;
  }

  #owned(parent: Container, key: string | number): Container {
    const value = get(parent, key) ?? {};
    if (this.#own.has(value)) return value as Container;
    const copy = this.#copy(value);
    put(parent, key, copy);
    return copy;
  }

  #copy(value: object): Container {
    const copy: Container = Array.isArray(value) ? [...(value as unknown[])] : { ...value };
    this.#own.add(copy);
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
