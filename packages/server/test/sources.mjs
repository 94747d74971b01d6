/** For a child process that runs the sources: `shared-context-manager` is its sources too. */

import { registerHooks } from "node:module";

/** @type {Readonly<Record<string, string>>} */
const sources = {
  "shared-context-manager": new URL("../../manager/src/index.ts", import.meta.url).href,
  "shared-context-manager/serving": new URL("../../manager/src/serving.ts", import.meta.url).href,
  "shared-context-manager/tools": new URL("../../manager/src/tools.ts", import.meta.url).href,
};

registerHooks({
  resolve(specifier, context, next) {
    const url = sources[specifier];
    return url === undefined ? next(specifier, context) : { url, shortCircuit: true };
  },
});
