/** One value in a row, and the one that came after it. */
export interface Link<Value> {
  readonly value: Value;
  next: Link<Value> | undefined;
}

/**
 * First in, first out. For rows that are nearly always empty or hold one: an array that is emptied and filled again
 * and again gets new room each time, which costs more than all else that a commit does to tell of itself.
 */
export class Fifo<Value> {
  first: Link<Value> | undefined;
  last: Link<Value> | undefined;

  push(value: Value): Link<Value> {
    const link: Link<Value> = { value, next: undefined };
    if (this.last === undefined || this.first === undefined) this.first = link;
    else this.last.next = link;
    this.last = link;
    return link;
  }

  shift(): Value | undefined {
    const link = this.first;
    if (link === undefined) return undefined;
    this.first = link.next;
    if (this.first === undefined) this.last = undefined;
    return link.value;
  }

  clear(): void {
    this.first = undefined;
    this.last = undefined;
  }
}
