import { SharedContextManager } from "shared-context-manager";

const manager = new SharedContextManager<{ findings: readonly string[] }>();
manager.create("review", { findings: [] });

/** Stands for a model that thinks about what it has read. */
async function think(agentId: string, known: readonly string[]): Promise<string> {
  await new Promise((resolve) => {
    setTimeout(resolve, 5);
  });
  return `${agentId} knew ${known.length}`;
}

const agents = ["ann", "bob", "cyd"].map((agentId) => manager.agent(agentId));
await Promise.all(
  agents.map((agent) =>
    agent.modify("review", async ({ data }) => ({
      findings: [...data.findings, await think(agent.agentId, data.findings)],
    })),
  ),
);

// All three read an empty list; two of them were refused, and thought again about a longer one.
const { findings = [] } = manager.get("review")?.data ?? {};
console.log(findings.map((finding) => finding.slice(4)).join(", "));
// prints: knew 0, knew 1, knew 2
