import { CopyButton } from "./copy.tsx";
import { useStore } from "./hooks.ts";
import { curlCreate, mcpConfig } from "./snippets.ts";

export function EmptyView() {
  const { api, demo, identity, mayWrite } = useStore();
  const needsToken = api.token !== null;
  return (
    <section class="panel narrow">
      <h2>No contexts yet</h2>
      <p>Connect the first agent, and what it shares appears here at once.</p>
      <Snippet title="An agent that speaks MCP" text={mcpConfig(location.origin, needsToken)} />
      <Snippet title="By hand, with curl" text={curlCreate(location.origin, needsToken)} />
      {needsToken && <p class="quiet">Put the token in the place of TOKEN; it is not written out here.</p>}
      <figure class="snippet">
        <figcaption>
          <h3>Or watch a swarm at work</h3>
          {mayWrite && (
            <button type="button" class="primary" onClick={() => void demo.run(identity?.agent_id ?? null)}>
              Run the demo
            </button>
          )}
        </figcaption>
        <p class="quiet">
          {mayWrite
            ? "Six agents in this page write one report on this server, for about ten seconds. It makes one context, which you can delete afterwards, and stops when you close the page."
            : "The demo writes on this server: that needs a token with the right to write."}
        </p>
      </figure>
    </section>
  );
}

function Snippet({ title, text }: { readonly title: string; readonly text: string }) {
  return (
    <figure class="snippet">
      <figcaption>
        <h3>{title}</h3>
        <CopyButton label="Copy" text={() => text} />
      </figcaption>
      <pre tabIndex={0} aria-label={title}>
        {text}
      </pre>
    </figure>
  );
}
