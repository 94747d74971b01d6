/** A client of a server passes the kit of managers; over other storages in `client-conformance.long.test.ts`. */

import { declareClients } from "./client-kit.ts";

declareClients({ name: "memory:", url: () => "memory:", remove: () => undefined });
