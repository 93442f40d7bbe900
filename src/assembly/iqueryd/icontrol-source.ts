// Servers whose state and load come from iControl REST, because their iQuery cannot be read: features hear of them as of any other peer,
// while the mesh keeps their session.

import { openSecret } from '../../config/secret-box.ts';
import type { AnyConfigObject } from '../../config/object-type.ts';
import { logEvent } from '../../core/log-codes.ts';
import type { Log } from '../../core/log.ts';
import type { Clock } from '../../health/clock.ts';
import { FeatureCalls } from '../../iquery/feature-calls.ts';
import type { MeshFeature, PeerCondition, PeerServer } from '../../iquery/mesh-feature.ts';
import type { TrustStore } from '../../trust/trust-store.ts';
import { textOf } from '../healthd/describe-watches.ts';
import { IcontrolClient, IcontrolError } from './icontrol-client.ts';
import { HOST_PATH, readHost, type ReadVirtual, readVirtuals, VIRTUALS_PATH } from './icontrol-reading.ts';

export type IcontrolSourceOptions = {
  readonly clock: Clock;
  readonly trust: Pick<TrustStore, 'judge'>;
  readonly features: readonly MeshFeature[];
  readonly log: Log;
};

type Asked = {
  readonly server: string;
  readonly addresses: readonly string[];
  readonly port: number;
  readonly user: string;
  /** Sealed. */
  readonly password: string;
  readonly intervalMs: number;
};

export class IcontrolSource {
  readonly #options: IcontrolSourceOptions;
  readonly #calls: FeatureCalls;
  readonly #pollers = new Map<string, Poller>();
  /** What the mesh said last of each server: it counts again when a server is not asked here any more. */
  readonly #inMesh = new Map<string, PeerCondition>();

  constructor(options: IcontrolSourceOptions) {
    this.#options = options;
    this.#calls = new FeatureCalls(options.log);
    for (const feature of options.features) this.#calls.add(feature);
  }

  /** The features as the mesh shall have them: what it says of servers that are asked here does not reach them. */
  forMesh(): MeshFeature[] {
    return this.#options.features.map((feature) => this.#deafened(feature));
  }

  /** Goes over to a configuration; behind the features' own `want`. */
  want(servers: readonly AnyConfigObject[], peers: readonly PeerServer[]): void {
    const wanted = new Map(askedOf(servers, peers).map((asked) => [asked.server, asked] as const));
    for (const [server, poller] of this.#pollers) {
      const asked = wanted.get(server);
      if (asked !== undefined && isSame(asked, poller.asked)) continue;
      poller.stop();
      this.#pollers.delete(server);
      const inMesh = this.#inMesh.get(server);
      if (asked === undefined && inMesh !== undefined && peers.some((peer) => peer.server === server))
        this.#calls.condition(server, inMesh);
    }
    for (const [server, asked] of wanted) {
      if (this.#pollers.has(server)) continue;
      const poller = new Poller(asked, this.#calls, this.#options);
      this.#pollers.set(server, poller);
      poller.start();
    }
  }

  stop(): void {
    for (const poller of this.#pollers.values()) poller.stop();
    this.#pollers.clear();
  }

  #deafened(feature: MeshFeature): MeshFeature {
    const isHeard = (server: string): boolean => !this.#pollers.has(server);
    return {
      channels: feature.channels,
      onCondition: (server, condition) => {
        this.#inMesh.set(server, condition);
        if (isHeard(server)) feature.onCondition?.(server, condition);
      },
      onWhole: (server, channel, records) => {
        if (isHeard(server)) feature.onWhole?.(server, channel, records);
      },
      onRecord: (server, record) => {
        if (isHeard(server)) feature.onRecord?.(server, record);
      },
      onForgotten: (server, channel, key) => {
        if (isHeard(server)) feature.onForgotten?.(server, channel, key);
      },
      onHeard: (server, at) => {
        if (isHeard(server)) feature.onHeard?.(server, at);
      },
      onRequest: (subscriber, request) => feature.onRequest?.(subscriber, request),
      onReply: (server, reply) => {
        if (isHeard(server)) feature.onReply?.(server, reply);
      },
    };
  }
}

/** Asks one server again and again. */
class Poller {
  readonly asked: Asked;
  readonly #calls: FeatureCalls;
  readonly #options: IcontrolSourceOptions;
  #client: IcontrolClient | undefined;
  #address = 0;
  #virtuals = new Map<string, ReadVirtual>();
  #cancel: () => void = () => undefined;
  #isOver = false;
  /** Why it was not read; empty: it was; undefined: it has not been asked. */
  #problem: string | undefined;

  constructor(asked: Asked, calls: FeatureCalls, options: IcontrolSourceOptions) {
    this.asked = asked;
    this.#calls = calls;
    this.#options = options;
  }

  start(): void {
    this.#cancel = this.#options.clock.setTimer(0, () => void this.#ask());
  }

  stop(): void {
    this.#isOver = true;
    this.#cancel();
    this.#client?.close();
  }

  async #ask(): Promise<void> {
    const { clock } = this.#options;
    try {
      const client = this.#connected();
      const virtuals = readVirtuals(await client.get(VIRTUALS_PATH), this.#virtuals, clock.wall());
      const host = readHost(await client.get(HOST_PATH), this.asked.server, virtuals);
      if (this.#over()) return;
      this.#virtuals = new Map(virtuals.map((each) => [each.record.name, each]));
      this.#note('');
      this.#calls.heard(this.asked.server, clock.wall());
      this.#calls.whole(this.asked.server, 'server', [host]);
      this.#calls.whole(
        this.asked.server,
        'vs',
        virtuals.map(({ record }) => record),
      );
    } catch (error) {
      if (!(error instanceof IcontrolError)) throw error;
      if (this.#over()) return;
      this.#client?.close();
      this.#client = undefined;
      const { addresses } = this.asked;
      const address = addresses[this.#address % addresses.length]!;
      this.#address++;
      this.#note(`${address}: ${error.message}`);
    }
    this.#cancel = clock.setTimer(this.asked.intervalMs, () => void this.#ask());
  }

  #over(): boolean {
    return this.#isOver;
  }

  #connected(): IcontrolClient {
    const { addresses, port, user, password } = this.asked;
    const opened = openSecret(password);
    if (!('text' in opened)) throw new IcontrolError(`icontrol-password ${opened.problem}`);
    const address = addresses[this.#address % addresses.length]!;
    this.#client ??= new IcontrolClient({ address, port, user, password: opened.text }, this.#options.trust);
    return this.#client;
  }

  #note(problem: string): void {
    if (problem === this.#problem) return;
    const wasRead = this.#problem === '';
    this.#problem = problem;
    const { server } = this.asked;
    const { clock, log } = this.#options;
    const since = clock.wall();
    if (problem === '') {
      logEvent(log, 'icontrol-read', `${server}: state and load are read from its iControl REST`);
      this.#calls.condition(server, { state: 'connected', since });
      return;
    }
    logEvent(log, 'icontrol-failed', `${server}: iControl REST cannot be read: ${problem}`);
    if (wasRead || this.#virtuals.size === 0) {
      this.#calls.condition(server, { state: 'not-connected', since, reason: `iControl REST: ${problem}` });
    }
  }
}

/** Servers with a user for iControl REST, but for this machine. */
function askedOf(servers: readonly AnyConfigObject[], peers: readonly PeerServer[]): Asked[] {
  return servers.flatMap(({ name, properties }) => {
    const user = textOf(properties['icontrol-user']);
    const own = peers.filter(({ server, isThisMachine }) => server === name && !isThisMachine);
    if (user === '' || own.length === 0) return [];
    return [
      {
        server: name,
        addresses: own.map(({ address }) => address),
        port: Number(properties['icontrol-port']),
        user,
        password: textOf(properties['icontrol-password']),
        intervalMs: 1000 * Number(properties['icontrol-interval']),
      },
    ];
  });
}

function isSame(a: Asked, b: Asked): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
