/** A certificate that certifies itself, for one name. */

import { execFile } from "node:child_process";
import { chmodSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { handOver } from "./own-server.ts";

const run = promisify(execFile);

export interface Certificate {
  readonly certificate: string;
  readonly key: string;
}

/** @param openssl - the program. @param directory - where it is put, for servers to read. */
export async function certify(openssl: string, directory: string): Promise<Certificate> {
  const [certificate, key] = [join(directory, "server.crt"), join(directory, "server.key")];
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
  const output = ["-keyout", key, "-out", certificate, "-days", "2"];
  await run(openssl, ["req", "-x509", "-newkey", "rsa:2048", "-nodes", ...subject, ...output]);
  for (const each of [certificate, key]) handOver(each);
  chmodSync(key, 0o600);
  return { certificate, key };
}
