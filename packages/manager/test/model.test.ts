/** Random sequences of commands against a model that is not the implementation. A failure prints seed and path; replay with FC_SEED. */

import fc from "fast-check";
import { type ErrorCode, isContextError, type SharedContext, SharedContextManager } from "shared-context-manager";
import { expect, it } from "vitest";

type Command =
  | { does: "create"; id: string; value: number }
  | { does: "get" | "delete"; id: string }
  | { does: "update"; id: string; value: number; expected: "fresh" | "remembered" | "string" }
  | { does: "lock" | "unlock"; id: string; agent: string }
  | { does: "clear" | "reload" };

const id = fc.constantFrom("a", "b", "__proto__");
const agent = fc.constantFrom("ann", "bob");
const value = fc.nat(9);
const command: fc.Arbitrary<Command> = fc.oneof(
  fc.record({ does: fc.constant("create" as const), id, value }),
  fc.record({ does: fc.constantFrom("get" as const, "delete" as const), id }),
  fc.record({
    does: fc.constant("update" as const),
    id,
    value,
    expected: fc.constantFrom("fresh" as const, "remembered" as const, "string" as const),
  }),
  fc.record({ does: fc.constantFrom("lock" as const, "unlock" as const), id, agent }),
  { weight: 1, arbitrary: fc.record({ does: fc.constantFrom("clear" as const, "reload" as const) }) },
);

/** The model: arrays and whole records, birth numbers where the manager has incarnations. */
class Model {
  records: { id: string; birth: number; version: number; value: number; owner: string }[] = [];
  births = 0;

  find(id: string): Model["records"][number] | undefined {
    return this.records.find((record) => record.id === id);
  }
  create(id: string, value: number): string {
    if (this.find(id)) return "EXISTS";
    this.records.push({ id, birth: ++this.births, version: 1, value, owner: "" });
    return "1";
  }
  update(id: string, value: number, version: number, birth: number): string {
    const record = this.find(id);
    if (!record) return "NOT_FOUND";
    if (record.owner) return "LOCKED";
    if (record.version !== version || (birth && record.birth !== birth)) return "CONFLICT";
    record.value = value;
    return String(++record.version);
  }
  lock(id: string, agent: string): string {
    const record = this.find(id);
    if (!record) return "NOT_FOUND";
    record.owner ||= agent;
    return String(record.owner === agent);
  }
  unlock(id: string, agent: string): string {
    const record = this.find(id);
    if (!record) return "NOT_FOUND";
    const held = record.owner === agent;
    if (held) record.owner = "";
    return String(held);
  }
  delete(id: string): string {
    const before = this.records.length;
    this.records = this.records.filter((record) => record.id !== id);
    return String(this.records.length < before);
  }
}

function outcome(action: () => unknown): string {
  try {
    return String(action());
  } catch (error) {
    if (isContextError(error)) return error.code satisfies ErrorCode;
    throw error;
  }
}

function run(commands: readonly Command[]): void {
  const model = new Model();
  let manager = new SharedContextManager<{ value: number }>();
  const remembered = new Map<string, { snapshot: SharedContext<{ value: number }>; birth: number }>();
  for (const command of commands) {
    let expected = "";
    let actual = "";
    if (command.does === "create") {
      expected = model.create(command.id, command.value);
      actual = outcome(() => manager.create(command.id, { value: command.value }).version);
    } else if (command.does === "update") {
      const { id, value } = command;
      const fresh = manager.get(id);
      const birth = model.find(id)?.birth ?? 0;
      const read =
        command.expected === "remembered"
          ? (remembered.get(id) ?? { snapshot: fresh, birth })
          : { snapshot: fresh, birth };
      const version = read.snapshot?.version ?? "1";
      expected = model.update(id, value, Number(version), command.expected === "string" ? 0 : read.birth);
      actual = outcome(
        () =>
          manager.update(id, { value }, command.expected === "string" ? version : (read.snapshot ?? version)).version,
      );
    } else if (command.does === "lock" || command.does === "unlock") {
      expected = model[command.does](command.id, command.agent);
      actual = outcome(() => manager[command.does](command.id, command.agent));
    } else if (command.does === "delete") {
      expected = model.delete(command.id);
      actual = outcome(() => manager.delete(command.id));
    } else if (command.does === "get") {
      const snapshot = manager.get(command.id);
      if (snapshot) remembered.set(command.id, { snapshot, birth: model.find(command.id)?.birth ?? 0 });
    } else if (command.does === "clear") {
      model.records = [];
      manager.clear();
    } else {
      manager = SharedContextManager.fromDict(JSON.parse(JSON.stringify(manager)));
    }
    expect(actual, JSON.stringify(command)).toBe(expected);
    expect([...manager].map((c) => [c.contextId, c.version, c.data.value, c.lockedBy ?? ""])).toEqual(
      model.records.map((record) => [record.id, String(record.version), record.value, record.owner]),
    );
  }
}

it("does what the model does, whatever the sequence", () => {
  const seed = process.env["FC_SEED"];
  fc.assert(fc.property(fc.array(command, { maxLength: 60 }), run), {
    numRuns: 500,
    ...(seed && { seed: Number(seed) }),
  });
});
