/** A manager with something wrong on the way in or out of it, of its agents or of their leases. */

import type { AsyncAgent, AsyncLease, AsyncSharedContextManager } from "shared-context-manager";

export type Manager = AsyncSharedContextManager;
/** Methods instead of those that are there; they may take and give anything. */
type Over<Subject> = (subject: Subject) => Partial<Record<keyof Subject, unknown>>;

export interface ManagerMutant {
  readonly breaks: string;
  readonly manager?: Over<Manager>;
  readonly agent?: Over<AsyncAgent>;
  readonly lease?: Over<AsyncLease>;
}

/** What is not overridden is that of the subject itself, whose private fields a proxy has not got. */
export function over<Subject extends object>(
  subject: Subject,
  methods: Partial<Record<keyof Subject, unknown>>,
): Subject {
  return new Proxy(subject, {
    get(_target, name) {
      if (Object.hasOwn(methods, name)) return methods[name as keyof Subject];
      const value: unknown = Reflect.get(subject, name, subject);
      return typeof value === "function" ? (value.bind(subject) as unknown) : value;
    },
  });
}

export function broken(manager: Manager, mutant: ManagerMutant): Manager {
  const leaseOver = (lease: AsyncLease): AsyncLease => over(lease, mutant.lease?.(lease) ?? {});
  const agentOver = (agent: AsyncAgent): AsyncAgent =>
    over(agent, {
      acquire: async (...args: Parameters<AsyncAgent["acquire"]>) => leaseOver(await agent.acquire(...args)),
      ...mutant.agent?.(agent),
    });
  return over(manager, { agent: (id: string) => agentOver(manager.agent(id)), ...mutant.manager?.(manager) });
}
