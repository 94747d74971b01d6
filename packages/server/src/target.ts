/** What a request is for. Read from its URL once: its getters cut their part out of the text each time. */

export interface Target {
  readonly url: URL;
  /** The name in the header Host, without a port. */
  readonly hostname: string;
  readonly pathname: string;
  /** The path between its slashes; the first is empty. */
  readonly segments: readonly string[];
  readonly search: string;
  readonly searchParams: URLSearchParams;
}

const NO_PARAMETERS = new URLSearchParams();

export function targetOf(url: URL): Target {
  const { hostname, pathname, search } = url;
  const searchParams = search === "" ? NO_PARAMETERS : url.searchParams;
  return { url, hostname, pathname, segments: pathname.split("/"), search, searchParams };
}

/** The targets of each host. Clients ask for the same few again and again, and to parse a URL costs as much as to find its context. */
const known = new Map<string, Map<string, Target>>();
let count = 0;
const MOST_KNOWN = 1_000;
const LONGEST_KNOWN = 500;

/** `null` for what is none: a path such as `http://elsewhere/` or `*` is for proxies. */
export function knownTarget(host: string, path: string): Target | null {
  const found = known.get(host)?.get(path);
  if (found !== undefined) return found;
  if (!path.startsWith("/") || /[/?#@\\]/.test(host)) return null;
  const url = URL.parse(`http://${host}${path}`);
  if (url === null) return null;
  const target = targetOf(url);
  if (host.length + path.length <= LONGEST_KNOWN) keep(host, path, target);
  return target;
}

function keep(host: string, path: string, target: Target): void {
  if (count >= MOST_KNOWN) {
    known.clear();
    count = 0;
  }
  const ofHost = known.get(host) ?? new Map<string, Target>();
  known.set(host, ofHost.set(path, target));
  count += 1;
}
