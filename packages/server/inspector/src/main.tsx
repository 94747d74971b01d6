import { render } from "preact";
import { Api } from "./api.ts";
import { App } from "./app.tsx";
import { StoreContext } from "./hooks.ts";
import { Store } from "./store.ts";

const store = new Store(new Api());
store.start();
const root = document.querySelector("#app");
if (root !== null) {
  render(
    <StoreContext.Provider value={store}>
      <App />
    </StoreContext.Provider>,
    root,
  );
}
