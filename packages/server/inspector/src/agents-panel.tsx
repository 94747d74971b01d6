import { useContext } from "preact/hooks";
import { type AgentInfo, agentsOf, findCycle, lockWarning } from "./agents.ts";
import { formatAge, visible } from "./format.ts";
import { StoreContext, useNow, useStore } from "./hooks.ts";
import { hashOf } from "./place.ts";

const MOST = 500;

export function AgentsPanel({ onAgent }: { readonly onAgent: (agent: AgentInfo) => void }) {
  const store = useStore(500);
  const nowMs = useNow();
  const agents = agentsOf(store.state, store.queues, store.conflictCounts);
  return (
    <aside aria-label="Agents" class="panel agents">
      <h2>
        Agents <span class="quiet">{agents.length}</span>
      </h2>
      <Warnings agents={agents} nowMs={nowMs} />
      {agents.length === 0 && <p class="quiet">Nobody has written or holds a lock.</p>}
      <ul class="plain">
        {agents.slice(0, MOST).map((agent) => (
          <li key={agent.agentId} class="agent">
            <button type="button" class="link" onClick={() => onAgent(agent)} title="Show what it wrote last or holds">
              <bdi>{visible(agent.agentId, 80)}</bdi>
            </button>
            <Facts agent={agent} nowMs={nowMs} />
          </li>
        ))}
      </ul>
      {agents.length > MOST && <p class="quiet">and {agents.length - MOST} more</p>}
    </aside>
  );
}

function Facts({ agent, nowMs }: { readonly agent: AgentInfo; readonly nowMs: number }) {
  const { holds, waitsFor, lastWrite, conflicts } = agent;
  return (
    <dl class="facts">
      {holds.length > 0 && <Fact name="holds" ids={holds} />}
      {waitsFor.length > 0 && <Fact name="waits for" ids={waitsFor} />}
      {lastWrite !== undefined && (
        <div>
          <dt>wrote</dt>
          <dd>
            <ContextLink contextId={lastWrite.contextId} /> v{lastWrite.version}, {formatAge(nowMs - lastWrite.atMs)}{" "}
            ago
          </dd>
        </div>
      )}
      {conflicts > 0 && (
        <div>
          <dt>conflicts</dt>
          <dd>{conflicts}</dd>
        </div>
      )}
    </dl>
  );
}

const SHOWN = 3;

function Fact({ name, ids }: { readonly name: string; readonly ids: readonly string[] }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        {ids.slice(0, SHOWN).map((contextId, index) => (
          <span key={contextId}>
            {index > 0 && ", "}
            <ContextLink contextId={contextId} />
          </span>
        ))}
        {ids.length > SHOWN && ` and ${ids.length - SHOWN} more`}
      </dd>
    </div>
  );
}

function ContextLink({ contextId }: { readonly contextId: string }) {
  return (
    <a href={hashOf({ view: "context", contextId })}>
      <bdi>{visible(contextId, 80)}</bdi>
    </a>
  );
}

/** What deserves a look: a cycle of waiting agents, locks that are held long or lapse never. */
function Warnings({ agents, nowMs }: { readonly agents: readonly AgentInfo[]; readonly nowMs: number }) {
  const { state } = useContext(StoreContext);
  const cycle = findCycle(agents);
  const long = [...state.contexts.values()].filter((item) => lockWarning(item, nowMs) !== undefined);
  if (cycle.length === 0 && long.length === 0) return null;
  return (
    <div class="warnings">
      {cycle.length > 0 && (
        <p class="warn" role="alert">
          These agents wait for each other: <bdi>{cycle.map((id) => visible(id, 40)).join(" → ")}</bdi>
        </p>
      )}
      {long.slice(0, SHOWN).map((item) => (
        <p class="warn" key={item.context_id}>
          The lock on <ContextLink contextId={item.context_id} /> {lockWarning(item, nowMs)}.
        </p>
      ))}
      {long.length > SHOWN && <p class="warn">and {long.length - SHOWN} locks more</p>}
    </div>
  );
}
