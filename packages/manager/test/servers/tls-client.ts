/** A process of its own, because authorities of one's own are read from NODE_EXTRA_CA_CERTS at its start and never again. */

import { isContextError, openManager } from "../processes/package.ts";

try {
  const manager = await openManager(process.argv[2] ?? "");
  const { version } = await manager.create("plan", { count: 1, marks: {} });
  await manager.close();
  process.stdout.write(`version ${version}`);
} catch (error) {
  process.stdout.write(isContextError(error) ? `${error.code}: ${error.message}` : String(error));
}
