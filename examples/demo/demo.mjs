/** `npm run demo`: see `npm run demo -- --help`. */

import { main } from "./command-line.mjs";

// A reader that has seen enough, as in `npm run demo | head`, is no failure.
process.stdout.on("error", (error) => {
  if (!("code" in error) || error.code !== "EPIPE") throw error;
  process.exit();
});

process.exitCode = await main(process.argv.slice(2), process);
