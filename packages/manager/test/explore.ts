/** Breadth-first exploration of every reachable state of a small system. */

export interface System<State, Command> {
  readonly initial: State;
  /** Every command at this state. */
  commands(state: State): Iterable<Command>;
  /** The state it leads to, or what is wrong with the step. */
  step(state: State, command: Command): State | Violation;
  /** Equal for states that behave alike from here on: what keeps the exploration finite. */
  key(state: State): string;
}

export class Violation {
  readonly what: string;

  constructor(what: string) {
    this.what = what;
  }
}

export interface Exploration {
  readonly states: number;
  readonly steps: number;
  /** The shortest way to a broken invariant, if there is one. */
  readonly violation?: string;
}

export function explore<State, Command>(system: System<State, Command>): Exploration {
  const cameBy = new Map<string, { from: string; command: Command } | undefined>([
    [system.key(system.initial), undefined],
  ]);
  let frontier = [system.initial];
  let steps = 0;

  const wayTo = (key: string): string[] => {
    const last = cameBy.get(key);
    return last === undefined ? [] : [...wayTo(last.from), JSON.stringify(last.command)];
  };

  while (frontier.length > 0) {
    const reached: State[] = [];
    for (const state of frontier) {
      const from = system.key(state);
      for (const command of system.commands(state)) {
        steps += 1;
        const next = system.step(state, command);
        if (next instanceof Violation) {
          return {
            states: cameBy.size,
            steps,
            violation: [next.what, ...wayTo(from), JSON.stringify(command)].join("\n  "),
          };
        }
        const key = system.key(next);
        if (cameBy.has(key)) continue;
        cameBy.set(key, { from, command });
        reached.push(next);
      }
    }
    frontier = reached;
  }
  return { states: cameBy.size, steps };
}
