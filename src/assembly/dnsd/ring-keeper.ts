// Keeps the ring engines of listeners: which device has the address, an engine on it, and the rule that keeps from the kernel what
// the engine takes. A listener whose ring fails is answered by its socket, and the ring is tried again.

import { addressOctets, parseAddress } from '../../core/address.ts';
import { errorText } from '../../core/errors.ts';
import { logEvent } from '../../core/log-codes.ts';
import type { Log } from '../../core/log.ts';
import type { ResponderOptions } from '../../dns/responder-options.ts';
import type { ParamsOf, ResultOf } from '../../ipc/schema.ts';
import { deviceOfAddress } from '../../net/host-addresses.ts';
import type { EngineEvents } from './engine-thread.ts';
import type { ListenerSpec } from './listener-spec.ts';
import type { QueryLogService } from './query-log-service.ts';
import { RingEngine } from './ring-engine.ts';
import type { SocketSource } from './socket-source.ts';
import type { SourceData } from './source-data.ts';

export type SetQueryRules = (
  rules: ParamsOf<'set-query-rules'>['rules'],
) => Promise<ResultOf<'set-query-rules'>['rules'] | undefined>;

export type RingKeeperOptions = {
  readonly source: SocketSource;
  readonly setRules: SetQueryRules;
  readonly answersOf: (spec: ListenerSpec) => ResponderOptions;
  /** What the thread of a ring answers from, by the name of its listener. */
  readonly sources: (name: string) => SourceData;
  readonly deferred: EngineEvents['deferred'];
  readonly decided: EngineEvents['decided'];
  readonly queryLog: QueryLogService;
  readonly log: Log;
};

type Ring = {
  readonly spec: ListenerSpec;
  readonly engine: RingEngine;
  readonly device: string;
  readonly namespace: string | undefined;
};

export class RingKeeper {
  readonly #options: RingKeeperOptions;
  /** By name of the listener. */
  readonly #rings = new Map<string, Ring>();
  readonly #failures = new Map<string, string>();

  constructor(options: RingKeeperOptions) {
    this.#options = options;
  }

  get(name: string): Ring | undefined {
    return this.#rings.get(name);
  }

  failureOf(name: string): string | undefined {
    return this.#failures.get(name);
  }

  get hasFailures(): boolean {
    return this.#failures.size > 0;
  }

  /** Starts the ring of a listener, beside its socket; what fails is in `failureOf`. */
  async open(spec: ListenerSpec, id: number): Promise<void> {
    const { name } = spec;
    try {
      const { engine, device, namespace } = await this.#start(spec, id);
      this.#rings.set(name, { spec, engine, device, namespace });
      await this.#setRules();
      this.#failures.delete(name);
      logEvent(this.#options.log, 'ring-open', `listener ${name} takes queries straight from ${device}`);
    } catch (error) {
      await this.#fail(name, errorText(error));
    }
  }

  async change(spec: ListenerSpec): Promise<void> {
    const ring = this.#rings.get(spec.name);
    if (ring === undefined) return;
    await ring.engine.change(this.#options.answersOf(spec));
  }

  /** The kernel gets the queries again before the ring goes. */
  async close(name: string): Promise<void> {
    this.#failures.delete(name);
    const ring = this.#rings.get(name);
    if (ring === undefined) return;
    this.#rings.delete(name);
    await this.#setRules();
    await ring.engine.stop();
  }

  /** Has all threads go over to what there is now. */
  async followSources(): Promise<void> {
    const { sources } = this.#options;
    await Promise.all([...this.#rings].map(([name, { engine }]) => engine.setSources(sources(name))));
  }

  async collectGarbage(): Promise<void> {
    await Promise.all([...this.#rings.values()].map(({ engine }) => engine.collectGarbage()));
  }

  async #start(spec: ListenerSpec, id: number): Promise<Omit<Ring, 'spec'>> {
    const { source, answersOf, deferred, decided, queryLog } = this.#options;
    const { routeDomain, address, port, ringAdapter: form, name } = spec;
    if (routeDomain !== 0 && form === 'af-xdp') throw new Error('ring-adapter af-xdp works in route domain 0 only');
    const elsewhere = routeDomain === 0 ? undefined : await source.openPacketSocket(routeDomain, address);
    const device = elsewhere?.device ?? deviceOfAddress(address);
    if (device === undefined) throw new Error(`no device that is up has the address ${address}`);
    const socket = elsewhere === undefined ? {} : { socket: elsewhere.descriptor };
    const addresses = [addressOctets(parseAddress(address)!)];
    const { memory: log, end } = queryLog.register(`ring on ${device}`);
    const engine = new RingEngine(
      { id, ring: { device, form, port, addresses, ...socket }, answers: answersOf(spec), log },
      { deferred, decided, died: (reason) => void this.#fail(name, reason) },
    );
    void engine.ended().then(end);
    await engine.ready();
    await engine.setSources(this.#options.sources(name));
    return { engine, device, namespace: elsewhere?.namespace };
  }

  /** Says what all rings take. AF_XDP keeps it from the kernel by itself. */
  async #setRules(): Promise<void> {
    const rings = [...this.#rings.values()].filter(({ spec }) => spec.ringAdapter === 'packet-ring');
    const rules = rings.map(({ device, namespace, spec: { port, address } }) => ({
      ...{ device, port, addresses: [address] },
      ...(namespace === undefined ? {} : { namespace }),
    }));
    const results = await this.#options.setRules(rules);
    if (rings.length === 0) return;
    if (results === undefined) {
      throw new Error('only "wideplane up" can keep from the kernel what a ring takes, and none runs');
    }
    const failure = results.find((result) => result.failure !== undefined)?.failure;
    if (failure !== undefined) throw new Error(failure);
  }

  async #fail(name: string, reason: string): Promise<void> {
    const ring = this.#rings.get(name);
    this.#rings.delete(name);
    if (ring !== undefined) {
      await this.#setRules().catch(() => undefined);
      await ring.engine.stop();
    }
    if (this.#failures.get(name) === reason) return;
    this.#failures.set(name, reason);
    logEvent(this.#options.log, 'ring-failed', `listener ${name} is answered by its socket alone: ${reason}`);
  }
}
