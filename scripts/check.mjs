/** The gate: these npm scripts in this order, up to the first that fails. */

import { finish, run } from "./tally.mjs";

const SCRIPTS = ["format:check", "lint", "types", "build", "coverage", "package:check", "unused", "api:check"];

SCRIPTS.every((script) => run(script, ["npm", "run", "--silent", script]));
finish();
