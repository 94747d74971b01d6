import type { ContextFilter } from "./changes.ts";
import { Roster } from "./roster.ts";

type Members<Member> = readonly Member[];

/**
 * Who listens to which contexts, so that a change finds its listeners without asking all the others. Lists are
 * replaced, never changed: whoever goes through one is not disturbed by those who come and go.
 */
export class Audience<Member> {
  size = 0;
  #ofAll: Members<Member> = [];
  readonly #byId = new Roster<Members<Member>>();
  /** By the length of the prefix, and then by the prefix. */
  readonly #byPrefix = new Map<number, Roster<Members<Member>>>();

  add(filter: ContextFilter | undefined, member: Member): void {
    this.size += 1;
    if (filter === undefined) {
      this.#ofAll = [...this.#ofAll, member];
    } else if (typeof filter === "string") {
      include(this.#byId, filter, member);
    } else {
      const { length } = filter.prefix;
      const prefixes = this.#byPrefix.get(length) ?? new Roster<Members<Member>>();
      include(prefixes, filter.prefix, member);
      this.#byPrefix.set(length, prefixes);
    }
  }

  remove(filter: ContextFilter | undefined, member: Member): void {
    this.size -= 1;
    if (filter === undefined) {
      this.#ofAll = this.#ofAll.filter((other) => other !== member);
    } else if (typeof filter === "string") {
      exclude(this.#byId, filter, member);
    } else {
      const prefixes = this.#byPrefix.get(filter.prefix.length);
      if (prefixes === undefined) return;
      exclude(prefixes, filter.prefix, member);
      if (prefixes.size === 0) this.#byPrefix.delete(filter.prefix.length);
    }
  }

  /** Those that listen to a context; all of them for `null`, which is about every context. */
  of(contextId: string | null): Members<Member> {
    if (contextId === null) return this.all();
    const members = this.#byId.get(contextId) ?? this.#ofAll;
    const isMixed = this.#byPrefix.size > 0 || (this.#ofAll.length > 0 && members !== this.#ofAll);
    return isMixed ? this.#gathered(contextId) : members;
  }

  #gathered(contextId: string): Members<Member> {
    const lists = [this.#ofAll, this.#byId.get(contextId) ?? []];
    for (const [length, prefixes] of this.#byPrefix) lists.push(prefixes.get(contextId.slice(0, length)) ?? []);
    return lists.flat();
  }

  all(): Member[] {
    const prefixes = [...this.#byPrefix.values()].flatMap((members) => members.values());
    return [this.#ofAll, ...this.#byId.values(), ...prefixes].flat();
  }
}

/** Whether a change to this context is for whoever has this filter. */
export function passes(filter: ContextFilter | undefined, contextId: string | null): boolean {
  if (filter === undefined || contextId === null) return true;
  return typeof filter === "string" ? contextId === filter : contextId.startsWith(filter.prefix);
}

function include<Member>(lists: Roster<Members<Member>>, key: string, member: Member): void {
  lists.set(key, [...(lists.get(key) ?? []), member]);
}

function exclude<Member>(lists: Roster<Members<Member>>, key: string, member: Member): void {
  const rest = (lists.get(key) ?? []).filter((other) => other !== member);
  if (rest.length === 0) lists.delete(key);
  else lists.set(key, rest);
}
