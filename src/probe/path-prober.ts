// Measures the way to a resolver: round-trip time and how much is answered, by the first protocol that gets an answer, and hops.

import { setTimeout as delay } from 'node:timers/promises';
import { formatBareAddress, type IpAddress, parseAddress } from '../core/address.ts';
import { PathEcho } from './path-echo.ts';
import { countHops, type HopSettings } from './path-hops.ts';
import type { ProbeTarget } from './packet-probes.ts';
import { sampleDns, sampleTcp, sampleUdp } from './path-sample.ts';
import { RawIcmp } from './raw-icmp.ts';

export const PATH_PROTOCOLS = ['dns_dot', 'dns_rev', 'icmp', 'tcp', 'udp'] as const;
export type PathProtocol = (typeof PATH_PROTOCOLS)[number];

export type PathMeasure = {
  /** Microseconds: the one in the middle of those that were answered. */
  readonly roundTripTime: number;
  /** Of a thousand packets. */
  readonly completionRate: number;
};

export type MeasureSettings = {
  /** In the order in which they are tried. */
  readonly protocols: readonly PathProtocol[];
};

/** What measures ways; tests have others. */
export interface PathMeasurer {
  /** undefined: nothing was answered, by any protocol; `address` is no address, or nothing can be sent. */
  measure(address: string, settings: MeasureSettings): Promise<PathMeasure | undefined>;
  countHops(address: string, settings: HopSettings): Promise<number | undefined>;
  close(): void;
}

/** Packets of one measurement, and milliseconds between two. */
const PACKETS = 10;
const APART_MS = 100;
const TIMEOUT_MS = 2000;
/** Of a protocol that is not answered at all no more than these are sent. */
const FIRST_PACKETS = 3;
const ECHO_OCTETS = 64;

/** Works on the main thread of a process only, as the package raw-socket does. */
export class PathProber implements PathMeasurer {
  readonly #icmp = new RawIcmp();
  readonly #echo = new PathEcho(this.#icmp);

  async measure(text: string, { protocols }: MeasureSettings): Promise<PathMeasure | undefined> {
    const address = parseAddress(text);
    if (address === undefined) return undefined;
    for (const protocol of protocols) {
      const first = await this.#samples(protocol, address, FIRST_PACKETS);
      if (first.every((micros) => micros === undefined)) continue;
      const all = [...first, ...(await this.#samples(protocol, address, PACKETS - FIRST_PACKETS))];
      const answered = all.filter((micros) => micros !== undefined).sort((a, b) => a - b);
      return {
        roundTripTime: answered[answered.length >>> 1]!,
        completionRate: Math.round((1000 * answered.length) / all.length),
      };
    }
    return undefined;
  }

  async countHops(text: string, settings: HopSettings): Promise<number | undefined> {
    const address = parseAddress(text);
    return address && countHops((request) => this.#echo.ask(request), targetOf(address), settings);
  }

  close(): void {
    this.#echo.close();
    this.#icmp.close();
  }

  async #samples(protocol: PathProtocol, address: IpAddress, count: number): Promise<(number | undefined)[]> {
    const samples: Promise<number | undefined>[] = [];
    for (let packet = 0; packet < count; packet++) {
      samples.push(this.#sample(protocol, address));
      await delay(APART_MS);
    }
    return Promise.all(samples);
  }

  async #sample(protocol: PathProtocol, address: IpAddress): Promise<number | undefined> {
    switch (protocol) {
      case 'icmp': {
        const echo = await this.#echo.ask({ target: targetOf(address), octets: ECHO_OCTETS, timeoutMs: TIMEOUT_MS });
        return echo.end === 'reply' ? echo.micros : undefined;
      }
      case 'tcp':
        return sampleTcp(address, TIMEOUT_MS);
      case 'udp':
        return sampleUdp(address, TIMEOUT_MS);
      default:
        return sampleDns(protocol, address, TIMEOUT_MS);
    }
  }
}

function targetOf(address: IpAddress): ProbeTarget {
  const { family, words } = address;
  return { family, address: formatBareAddress(address), words, port: 0, mark: 0 };
}
