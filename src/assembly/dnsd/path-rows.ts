// Ways between resolvers and datacenters, as they are shown: what was measured or said of each, and for each resolver the nearest.

import type { PathFacts } from '../../gtm/facts.ts';
import type { ShowReply } from '../../ipc/schema.ts';
import { type Cell, tablePage } from '../show-page.ts';

export const PATH_TYPE = 'gtm path';
export const LDNS_TYPE = 'gtm ldns';

const MICROSECONDS_PER_MILLISECOND = 1000;
const PER_THOUSAND_IN_PER_CENT = 10;

/** A page of ways. `now`: seconds since 1970. */
export function pathPage(paths: Iterable<PathFacts>, now: number, cursor?: string): ShowReply {
  const columns = ['LDNS', 'Datacenter', 'RTT (ms)', 'Hops', 'Completion (%)', 'Said by', 'Seconds left'];
  const rows = [...paths].map(({ client, datacenter, roundTripTime, hops, completionRate, expires, isMeasured }) => [
    client,
    datacenter,
    scaled(roundTripTime, MICROSECONDS_PER_MILLISECOND),
    scaled(hops, 1),
    scaled(completionRate, PER_THOUSAND_IN_PER_CENT),
    isMeasured === true ? 'iQuery' : 'hand',
    secondsLeft(expires, now),
  ]);
  return tablePage('paths', columns, rows, cursor);
}

/** A page of resolvers to which there is a way. */
export function resolverPage(paths: Iterable<PathFacts>, now: number, cursor?: string): ShowReply {
  const columns = ['LDNS', 'Paths', 'Nearest Datacenter', 'RTT (ms)', 'Seconds left'];
  const byClient = new Map<string, PathFacts[]>();
  for (const path of paths) {
    const ways = byClient.get(path.client);
    if (ways === undefined) byClient.set(path.client, [path]);
    else ways.push(path);
  }
  const rows = [...byClient].map(([client, ways]) => {
    const timed = ways.filter(({ roundTripTime, expires }) => roundTripTime !== undefined && expires > now);
    const nearest = timed.sort((a, b) => a.roundTripTime! - b.roundTripTime!)[0];
    return [
      client,
      ways.length,
      nearest?.datacenter ?? 'none',
      scaled(nearest?.roundTripTime, MICROSECONDS_PER_MILLISECOND),
      secondsLeft(Math.max(...ways.map(({ expires }) => expires)), now),
    ];
  });
  return tablePage('resolvers', columns, rows, cursor);
}

const scaled = (value: number | undefined, unit: number): Cell => (value === undefined ? 'unknown' : value / unit);
const secondsLeft = (expires: number, now: number): number => Math.max(0, Math.ceil(expires - now));
