// The multicast groups that sockets of this host have joined, by the domain whose device they joined on.
//
// The kernel of the host tells of them as any host tells its router; it is asked again and again, and what it does not name
// any more is forgotten. Of no concern are the groups of all systems, and those by which neighbours are solicited: what they
// are for is done in the data plane.

import type { AddressWords } from '../core/address.ts';
import { AddressMap } from '../core/address-map.ts';

export type HostGroup = { domain: number; group: AddressWords };

/** How often the host is asked. */
export const QUERY_SECONDS = 10;
/** After so long without being named, three queries, a group is forgotten. */
export const GROUP_SECONDS = 35;
/** More than any program joins; a host that says more is not heard. */
const MAX_GROUPS = 4096;

type Entry = HostGroup & { until: number };

export class HostGroups {
  readonly #entries = new Map<string, Entry>();
  readonly #index = new AddressMap();
  #hasChanged = false;

  /** Whether groups have come or gone since the last call. */
  takeChange(): boolean {
    const changed = this.#hasChanged;
    this.#hasChanged = false;
    return changed;
  }

  heard(domain: number, group: AddressWords, listens: boolean, second: number): void {
    const key = `${domain} ${group.join(' ')}`;
    const entry = this.#entries.get(key);
    if (!listens) {
      if (entry !== undefined) this.#forget(key, entry);
    } else if (entry !== undefined) {
      entry.until = second + GROUP_SECONDS;
    } else if (this.#entries.size < MAX_GROUPS && isOfConcern(group)) {
      this.#entries.set(key, { domain, group, until: second + GROUP_SECONDS });
      this.#index.set(domain, ...group, 1);
      this.#hasChanged = true;
    }
  }

  /** Forgets what was not named for long. */
  tick(second: number): void {
    for (const [key, entry] of this.#entries) if (second >= entry.until) this.#forget(key, entry);
  }

  forgetDomain(domain: number): void {
    for (const [key, entry] of this.#entries) if (entry.domain === domain) this.#forget(key, entry);
  }

  has(domain: number, word0: number, word1: number, word2: number, word3: number): boolean {
    return this.#index.get(domain, word0, word1, word2, word3) !== -1;
  }

  list(): HostGroup[] {
    return [...this.#entries.values()].map(({ domain, group }) => ({ domain, group }));
  }

  #forget(key: string, { domain, group }: Entry): void {
    this.#entries.delete(key);
    this.#index.delete(domain, ...group);
    this.#hasChanged = true;
  }
}

/** Not 224.0.0.1, ff02::1, ff02::1:ff00:0/104, nor what does not leave a host (scopes 0 and 1), nor an address that is no group. */
function isOfConcern([a, b, c, d]: AddressWords): boolean {
  if ((a | b | c) === 0) return d >>> 28 === 0xe && d !== (0xe000_0001 | 0);
  const scope = (a >>> 16) & 0xf;
  if (a >>> 24 !== 0xff || scope < 2) return false;
  const isLinkLocal = a === (0xff02_0000 | 0) && b === 0;
  return !(isLinkLocal && ((c === 0 && d === 1) || (c === 1 && d >>> 24 === 0xff)));
}
