// Answers `show` and `reset-stats` for listeners and zones.

import { gtmListener, type Listener } from '../../config/types/gtm-listener.ts';
import { type GtmZone, gtmZone } from '../../config/types/gtm-zone.ts';
import { isUnspecified, parseAddress } from '../../core/address.ts';
import { FrameOutcome } from '../../dns/frame-reply.ts';
import { Outcome } from '../../dns/outcome.ts';
import { ZoneCounter } from '../../dns/zone-counts.ts';
import type { ShowReply, ShowRow } from '../../ipc/schema.ts';
import { deviceOfAddress } from '../../net/host-addresses.ts';
import { pageOf } from '../show-page.ts';
import type { Dnsd } from './dnsd.ts';
import { ListenerCount } from './engine-protocol.ts';
import type { OpenListener } from './listener-keeper.ts';
import { type RingEngine, RingLoss } from './ring-engine.ts';

type ShowParams = { type: string; names?: string[] | undefined; cursor?: string | undefined };

/** What became of messages, as it is shown. */
const OUTCOME_LABELS: Record<keyof typeof Outcome, string> = {
  wideIp: 'Answered by wide IPs',
  wideIpDropped: 'Dropped by wide IPs',
  zone: 'Answered from zones',
  forwarded: 'Handed to BIND',
  unhandled: 'Unhandled, answered',
  unhandledDropped: 'Unhandled, dropped',
  chaos: 'Names of class CHAOS',
  malformed: 'Malformed',
  notImplemented: 'Other opcodes',
  badVersion: 'Other versions of EDNS',
  refused: 'Refused',
  accessRefused: 'Refused to the client',
  tooShort: 'Too short',
  response: 'No query but a response',
  truncated: 'Truncated',
  rateLimited: 'Not sent by rate limit',
  slipped: 'Truncated by rate limit',
  cookieValid: 'Cookies, valid',
  cookieInvalid: 'Cookies, invalid',
};

export class DnsShowService {
  readonly #dnsd: Dnsd;
  /** What the numbers of a listener were at their last reset. */
  readonly #bases = new WeakMap<OpenListener, Float64Array>();

  constructor(dnsd: Dnsd) {
    this.#dnsd = dnsd;
  }

  /** The objects of one type; undefined for a type that has no statistics here. */
  show({ type, names, cursor }: ShowParams): ShowReply | undefined {
    const wanted = <T extends { name: string }>(objects: readonly T[]): T[] =>
      objects.filter(({ name }) => names === undefined || names.includes(name));
    switch (type) {
      case gtmListener.path:
        return pageOf(wanted(this.#dnsd.objectsOf(gtmListener)), cursor, (page) =>
          page.map((listener) => this.#listener(listener)),
        );
      case gtmZone.path:
        return pageOf(wanted(this.#dnsd.objectsOf(gtmZone)), cursor, (page) => page.map((zone) => this.#zone(zone)));
      default:
        return undefined;
    }
  }

  /** Sets the counters of objects to 0; how many objects there were, or undefined for a type that has none. */
  reset(type: string, names: readonly string[] | undefined): number | undefined {
    const { listeners, zones, zoneStatistics } = this.#dnsd;
    const isWanted = (name: string): boolean => names === undefined || names.includes(name);
    if (type === gtmListener.path) {
      const chosen = [...listeners.open].filter(([name]) => isWanted(name));
      for (const [, listener] of chosen) this.#bases.set(listener, countsOf(listener));
      return chosen.length;
    }
    if (type !== gtmZone.path) return undefined;
    const chosen = this.#dnsd.objectsOf(gtmZone).filter(({ name }) => isWanted(name));
    for (const { object, origin } of zones.statusOf()) if (isWanted(object)) zoneStatistics.reset(origin);
    return chosen.length;
  }

  #listener({ name, properties }: Listener): ShowRow {
    const open = this.#dnsd.listeners.open.get(name);
    const failure = this.#dnsd.listeners.failureOf(name);
    const { address, port, engine, 'ip-protocol': protocol } = properties;
    const state =
      open === undefined ? `down: ${failure ?? 'not open yet'}` : `up${isMissing(open) ? ADDRESS_MISSING : ''}`;
    const status = properties.enabled ? state : 'disabled';
    const stats = { Address: address, Port: port, Protocol: protocol, Status: status };
    if (open === undefined) return { name, stats };
    const counts = countsOf(open);
    this.#bases.get(open)?.forEach((base, index) => (counts[index]! -= base));
    const sections = [{ title: 'Queries', stats: queryStats(open, counts) }];
    if (open.stream !== undefined) return { name, stats: { ...stats, Connections: open.stream.open }, sections };
    const ring = this.#dnsd.rings.get(name);
    if (ring !== undefined)
      sections.push({ title: `Queries by ring on ${ring.device}`, stats: ringStats(ring.engine) });
    const failed = this.#dnsd.rings.failureOf(name);
    return {
      name,
      stats: { ...stats, Engine: failed === undefined ? engine : `socket, not ring: ${failed}` },
      sections,
    };
  }

  #zone({ name, properties }: GtmZone): ShowRow {
    const status = this.#dnsd.zones.statusOf().find(({ object }) => object === name);
    const failure = this.#dnsd.failures().find(({ object }) => object === `${gtmZone.path} ${name}`)?.reason;
    const served = status?.served;
    const state = !properties.enabled
      ? 'disabled'
      : failure === undefined && served !== undefined
        ? 'served'
        : `${served === undefined ? 'not served' : 'served as it was before'}: ${failure ?? 'not read yet'}`;
    const stats: Record<string, string | number> = { Status: state, File: status?.file ?? 'none' };
    if (status === undefined || served === undefined) return { name, stats };
    stats.Serial = served.serial;
    stats.Records = served.records;
    stats.Loaded = `${served.loaded.toISOString().slice(0, 19).replace('T', ' ')} UTC, in ${Math.ceil(served.loadedMs)} ms`;
    const counts = this.#dnsd.zoneStatistics.read(status.origin);
    return {
      name,
      stats,
      sections: [
        {
          title: 'Queries',
          stats: {
            All: counts[ZoneCounter.queries]!,
            'No such name': counts[ZoneCounter.noName]!,
            'No such data': counts[ZoneCounter.noData]!,
            Referrals: counts[ZoneCounter.referrals]!,
          },
        },
      ],
    };
  }
}

const ADDRESS_MISSING = ', but no device has the address yet';

/** Whether nothing can come, since the machine does not have the address (which is not known of other route domains). */
const isMissing = ({ spec: { address, routeDomain } }: OpenListener): boolean =>
  routeDomain === 0 && !isUnspecified(parseAddress(address)!) && deviceOfAddress(address) === undefined;

/** A copy of the numbers of a listener, whichever engine it has. */
function countsOf({ counts, stream }: OpenListener): Float64Array {
  const copy = Float64Array.from(counts);
  if (stream === undefined) return copy;
  copy.set(stream.responder.counts);
  copy[ListenerCount.received] = stream.counts.messages;
  return copy;
}

/** What became of frames, as it is shown. */
const FRAME_LABELS: Record<keyof typeof FrameOutcome, string> = {
  answered: 'Answered',
  unanswered: 'Without a reply',
  forwarded: 'Handed to BIND',
  headerInvalid: 'Wrong headers',
  checksumInvalid: 'Wrong checksums',
  sourceInvalid: 'Impossible senders',
};

function ringStats({ frameCounts, losses }: RingEngine): Record<string, number> {
  const stats: Record<string, number> = {};
  for (const [key, label] of Object.entries(FRAME_LABELS)) {
    const count = frameCounts[FrameOutcome[key as keyof typeof FrameOutcome]]!;
    if (count > 0 || key === 'answered') stats[label] = count;
  }
  const lost = {
    'No room in the ring': losses[RingLoss.overruns]!,
    'Not taken by the device': losses[RingLoss.failed]!,
  };
  for (const [label, count] of Object.entries(lost)) if (count > 0) stats[label] = count;
  return stats;
}

function queryStats({ stream }: OpenListener, counts: Float64Array): Record<string, number> {
  const stats: Record<string, number> = { Received: counts[ListenerCount.received]! };
  for (const [key, label] of Object.entries(OUTCOME_LABELS)) {
    const count = counts[Outcome[key as keyof typeof Outcome]]!;
    if (count > 0 || key === 'zone') stats[label] = count;
  }
  if (stream === undefined) {
    const { sent, oversized, overruns, failed } = ListenerCount;
    stats.Sent = counts[sent]!;
    const losses = { 'Too large': oversized, 'No room in the socket': overruns, 'Not taken by the kernel': failed };
    for (const [label, index] of Object.entries(losses)) if (counts[index]! > 0) stats[label] = counts[index]!;
  } else {
    const { accepted, idle, slow, displaced, invalid } = stream.counts;
    Object.assign(stats, { 'Connections accepted': accepted, 'Closed when idle': idle, 'Closed when slow': slow });
    Object.assign(stats, { 'Closed for another': displaced, 'Closed for a wrong length': invalid });
  }
  return stats;
}
