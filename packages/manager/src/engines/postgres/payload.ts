/** Transactions as the arrays that the function `commit` of the database takes, and what is logged with them. */

import { encodeEntry } from "../../codec.ts";
import type { LoggedChange, Transaction, Write } from "../../engine.ts";
import type { Entry } from "../../entry.ts";

/** In the order of the parameters of `commit`, from `p_ids` on. */
export type Payload = readonly (readonly (string | number | boolean | null)[])[];

/** The act of a write, in one letter: check, delete, set. */
type Act = "c" | "d" | "s";
/** What becomes of the entry before, in one letter: kept in history, not kept, history forgotten. */
type Keeps = "k" | "n" | "f";

export function payloadOf(transactions: readonly Transaction[]): Payload {
  const slotOf = new Map<string, number>();
  const ops: string[] = [];
  const changes: (string | null)[] = [];
  const clears: boolean[] = [];
  const ends: number[] = [];
  const slots: number[] = [];
  const expects: number[] = [];
  const acts: Act[] = [];
  const keeps: Keeps[] = [];
  const nexts: (string | null)[] = [];
  for (const transaction of transactions) {
    /** Where in the arguments of `format` an entry comes: after all revisions. */
    const placeOf = new Map<Entry, number>();
    for (const write of transaction.writes) {
      if (!slotOf.has(write.id)) slotOf.set(write.id, slotOf.size + 1);
      slots.push(slotOf.get(write.id) as number);
      expects.push(write.expect);
      acts.push(actOf(write));
      keeps.push(keepsOf(write));
      nexts.push(write.next == null ? null : templateOf(write.next));
      if (write.next != null) placeOf.set(write.next, transactions.length + nexts.length);
    }
    ops.push(transaction.opId);
    changes.push(transaction.changes.length === 0 ? null : changesTemplate(transaction.changes, placeOf));
    clears.push(transaction.clears === true);
    ends.push(slots.length);
  }
  return [[...slotOf.keys()], ops, changes, clears, ends, slots, expects, acts, keeps, nexts];
}

function actOf({ next }: Write): Act {
  if (next === undefined) return "c";
  return next === null ? "d" : "s";
}

function keepsOf({ keeps }: Write): Keeps {
  if (keeps === null) return "f";
  return keeps ? "k" : "n";
}

const NO_DATA = '"data":{}';

/**
 * The text of an entry with `%n$s` where the revision of the n-th transaction comes. The data is left out of the
 * search: it may contain anything. In what is left, no quote that is not escaped stands in a text.
 */
function templateOf(entry: Entry): string {
  const { lock, revision, incarnation, data, chains } = entry;
  const shell = encodeEntry({ ...entry, data: {}, chains: undefined });
  const at = shell.indexOf(NO_DATA);
  const hasPlaceholder = revision < 0 || incarnation < 0 || (lock !== null && lock.token < 0);
  const rest = literal(shell.slice(at + NO_DATA.length));
  const around = hasPlaceholder ? rest.replaceAll(/"(revision|incarnation|token)":-(\d+)/g, '"$1":%$2$$s') : rest;
  const counted = chains === undefined ? "" : literal(`,"chains":${JSON.stringify([...chains])}`);
  return `${shell.slice(0, at)}"data":${literal(JSON.stringify(data))}${around.slice(0, -1)}${counted}}`;
}

/** What `format` leaves as it is. */
function literal(text: string): string {
  return text.includes("%") ? text.replaceAll("%", "%%") : text;
}

function changesTemplate(changes: readonly LoggedChange[], placeOf: ReadonlyMap<Entry, number>): string {
  const parts = changes.map(({ kind, contextId, agentId, note, entry }) => {
    const about = literal(JSON.stringify({ kind, contextId, agentId, note }));
    if (entry === null) return about;
    const place = placeOf.get(entry);
    return `${about.slice(0, -1)},"entry":${place === undefined ? templateOf(entry) : `%${place}$s`}}`;
  });
  return `[${parts.join(",")}]`;
}
