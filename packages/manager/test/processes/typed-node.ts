/** A Node that can run the sources as they are and change them while it loads them: this one, or one that is installed beside. */

import { existsSync } from "node:fs";
import * as module from "node:module";
import { fileURLToPath } from "node:url";

const beside = fileURLToPath(new URL(`../../../../node_modules/node-linux-${process.arch}/bin/node`, import.meta.url));

export const TYPED_NODE: string | undefined =
  "registerHooks" in module ? process.execPath : [beside].find((file) => existsSync(file));
