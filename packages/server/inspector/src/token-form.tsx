import { useState } from "preact/hooks";
import { useStore } from "./hooks.ts";

/** Asked for once: it stays with this tab, and goes with it. */
export function TokenForm({ why, status }: { readonly why: string; readonly status: number }) {
  const store = useStore();
  const [token, setToken] = useState("");
  const isUnknown = store.api.token !== null;
  const submit = (event: Event): void => {
    event.preventDefault();
    if (token.trim() !== "") store.useToken(token.trim());
  };
  if (status === 403) {
    return (
      <section class="panel narrow">
        <h2>The server refuses this page</h2>
        <p>{why}</p>
      </section>
    );
  }
  return (
    <section class="panel narrow">
      <h2>This server wants a token</h2>
      <p>
        Whoever runs the server has one, or makes one for you. It stays in this tab and is forgotten when you close it.
      </p>
      {isUnknown && (
        <p class="error" role="alert">
          The server does not know this token.
        </p>
      )}
      <form onSubmit={submit}>
        <label for="token">Token</label>
        <input
          id="token"
          type="password"
          autocomplete="off"
          spellcheck={false}
          value={token}
          onInput={(event) => setToken(event.currentTarget.value)}
        />
        <button type="submit" class="primary">
          Connect
        </button>
      </form>
    </section>
  );
}
