// How loaded machines are: this one tells the others of itself, and what they tell comes to dnsd by the names of the configuration.

import type { GtmServer } from '../../config/types/gtm-server.ts';
import { splitVirtualServerKey } from '../../config/gtm-kinds.ts';
import { MachineVirtuals } from '../../health/machine-virtuals.ts';
import type { MeshMachine } from '../../ipc/mesh-schema.ts';
import type { Handlers } from '../../ipc/ipc-server.ts';
import type { MeshPort, PeerCondition } from '../../iquery/mesh-feature.ts';
import type { Channel, RecordMessage, RecordOf } from '../../iquery/messages.ts';
import { virtualsSought } from '../virtuals-sought.ts';
import type { IqueryFeature, IqueryWant } from './feature.ts';
import { type LoadKeeper, targetKey, type WholeLoad } from './load-keeper.ts';
import type { MetricsPublisher } from './metrics-publisher.ts';

/** Virtual servers of one machine that are remembered. */
const MOST_VIRTUALS = 65_536;

export type LoadFeatureOptions = {
  readonly mesh: Pick<MeshPort, 'publish'>;
  readonly keeper: LoadKeeper;
  readonly publisher: MetricsPublisher;
  /** What this machine calls itself, and what it runs. */
  readonly hostname: string;
  readonly version: string;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
};

type Machine = {
  server: RecordOf<'server'> | undefined;
  readonly virtuals: MachineVirtuals<RecordOf<'vs'>>;
  /** How many those are. */
  count: number;
  /** Channels that have been told whole since it was connected. */
  readonly whole: Set<Channel>;
  isConnected: boolean;
  heard: number;
};

export class LoadFeature implements IqueryFeature {
  readonly channels = ['server', 'vs'] as const;
  readonly handlers: Handlers;
  readonly #options: LoadFeatureOptions;
  readonly #now: () => number;
  readonly #machines = new Map<string, Machine>();
  #servers = new Map<string, GtmServer>();
  #ownServers: ReadonlySet<string> = new Set();
  /** Loads that were told, by server: keys of virtual servers. */
  readonly #told = new Map<string, Set<string>>();
  readonly #stopListening: () => void;
  /** Servers of which there is something to tell, once what has come with it is taken as well. */
  readonly #news = new Set<string>();

  constructor(options: LoadFeatureOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.handlers = { 'mesh-metrics': (_params, { signal }) => options.publisher.subscribe(signal) };
    this.#stopListening = options.keeper.onMachine((load) => this.#publish(load));
  }

  want({ objectsOf, ownServers }: IqueryWant): void {
    const servers = objectsOf('gtm server') as readonly GtmServer[];
    this.#ownServers = ownServers;
    const [general] = objectsOf('gtm global-settings general');
    const heartbeat = general?.properties['heartbeat-interval'];
    if (typeof heartbeat === 'number') this.#options.keeper.intervalMs = 1000 * Math.max(1, heartbeat);
    const bigips = servers.filter(({ properties }) => properties.product === 'bigip');
    this.#servers = new Map(bigips.map((server) => [server.name, server]));
    for (const name of [...this.#machines.keys()]) if (!this.#servers.has(name)) this.#forget(name);
    this.#setLimits();
    for (const name of this.#machines.keys()) this.#tellSoon(name);
  }

  start(): void {
    this.#options.keeper.start();
  }

  stop(): void {
    this.#options.keeper.stop();
    this.#stopListening();
  }

  onCondition(server: string, { state }: PeerCondition): void {
    const machine = this.#machine(server);
    if (machine === undefined) return;
    const isConnected = state === 'connected';
    if (isConnected === machine.isConnected) return;
    machine.isConnected = isConnected;
    if (isConnected) machine.heard = this.#now();
    machine.whole.clear();
    this.#tellMachine(server, machine);
  }

  onHeard(server: string, at: number): void {
    const machine = this.#machines.get(server);
    if (machine !== undefined) machine.heard = Math.max(machine.heard, at);
  }

  onWhole(server: string, channel: Channel, records: readonly RecordMessage[]): void {
    const machine = this.#machine(server);
    if (machine === undefined || (channel !== 'server' && channel !== 'vs')) return;
    machine.heard = this.#now();
    if (channel === 'server') machine.server = undefined;
    else for (const { name } of [...machine.virtuals.all]) this.#drop(machine, name);
    for (const record of records) this.#take(machine, record);
    machine.whole.add(channel);
    this.#tell(server);
    this.#tellMachine(server, machine);
  }

  onRecord(server: string, record: RecordMessage): void {
    const machine = this.#machine(server);
    if (machine === undefined || (record.message !== 'server' && record.message !== 'vs')) return;
    machine.heard = this.#now();
    this.#take(machine, record);
    this.#tellSoon(server);
  }

  onForgotten(server: string, channel: Channel, key: string): void {
    const machine = this.#machines.get(server);
    if (machine === undefined || (channel !== 'server' && channel !== 'vs')) return;
    if (channel === 'server') machine.server = undefined;
    else this.#drop(machine, key);
    this.#tellSoon(server);
  }

  #machine(server: string): Machine | undefined {
    if (!this.#servers.has(server)) return undefined;
    let machine = this.#machines.get(server);
    if (machine === undefined) {
      const virtuals = new MachineVirtuals<RecordOf<'vs'>>();
      machine = { server: undefined, virtuals, count: 0, whole: new Set(), isConnected: false, heard: 0 };
      this.#machines.set(server, machine);
      this.#tellMachine(server, machine);
    }
    return machine;
  }

  #take(machine: Machine, record: RecordMessage): void {
    if (record.message === 'server') machine.server = record;
    if (record.message !== 'vs') return;
    this.#drop(machine, record.name);
    if (machine.count === MOST_VIRTUALS) return;
    machine.virtuals.set(record);
    machine.count++;
  }

  #drop(machine: Machine, name: string): void {
    if (machine.virtuals.delete(name)) machine.count--;
  }

  #forget(server: string): void {
    const { publisher } = this.#options;
    this.#machines.delete(server);
    publisher.forgetLoad({ kind: 'server', key: server });
    for (const key of this.#told.get(server) ?? []) publisher.forgetLoad({ kind: 'virtual-server', key });
    this.#told.delete(server);
    publisher.forgetMachine(server);
  }

  #tellMachine(server: string, { isConnected, whole, heard }: Machine): void {
    const machine: MeshMachine = { server, isHeard: isConnected && whole.size === this.channels.length, heard };
    this.#options.publisher.setMachine(machine);
  }

  #tellSoon(server: string): void {
    if (this.#news.size === 0) queueMicrotask(() => this.#tellNews());
    this.#news.add(server);
  }

  #tellNews(): void {
    const servers = [...this.#news];
    this.#news.clear();
    for (const server of servers) this.#tell(server);
  }

  /** What is known of a machine, by the names of the configuration. */
  #tell(name: string): void {
    const { publisher } = this.#options;
    const config = this.#servers.get(name);
    const machine = this.#machines.get(name);
    if (config === undefined || machine === undefined) return;
    const { server } = machine;
    if (server === undefined) publisher.forgetLoad({ kind: 'server', key: name });
    else publisher.setLoad({ kind: 'server', key: name, ...numbersOf(server), ...machineNumbersOf(server) });
    const told = this.#told.get(name) ?? new Set<string>();
    const before = new Set(told);
    for (const sought of virtualsSought(config)) {
      const found = machine.virtuals.find(sought);
      if (found === undefined) continue;
      const { key } = sought;
      publisher.setLoad({ kind: 'virtual-server', key, ...numbersOf(found), ...virtualNumbersOf(found) });
      told.add(key);
      before.delete(key);
    }
    for (const key of before) {
      publisher.forgetLoad({ kind: 'virtual-server', key });
      told.delete(key);
    }
    this.#told.set(name, told);
  }

  #publish({ cpu, memoryAvailable, connections, packetsPerSecond, kilobytesPerSecond }: WholeLoad): void {
    const { mesh, hostname, version } = this.#options;
    mesh.publish({
      message: 'server',
      name: hostname,
      version,
      cpu,
      memory_available: memoryAvailable,
      connections,
      packets_per_second: packetsPerSecond,
      kilobytes_per_second: kilobytesPerSecond,
    });
  }

  /** Which connections must not wait: all machines of a group have the same limits. */
  #setLimits(): void {
    const { keeper } = this.#options;
    const limits = new Map<string, number[]>();
    for (const server of this.#servers.values()) {
      for (const { key, places } of virtualsSought(server)) {
        const virtual = server.properties['virtual-servers'][splitVirtualServerKey(key).virtualServer]!;
        if (!virtual['limit-max-connections-status']) continue;
        for (const place of places) {
          const same = limits.get(targetKey(place)) ?? [];
          limits.set(targetKey(place), [...same, virtual['limit-max-connections']]);
        }
      }
    }
    keeper.limits = limits;
    keeper.machineLimits = [...this.#ownServers].flatMap((server) => {
      const own = this.#servers.get(server)?.properties;
      return own?.['limit-max-connections-status'] === true ? [own['limit-max-connections']] : [];
    });
  }
}

type Numbers = RecordOf<'server'> | RecordOf<'vs'>;

/** Fields that are not known are left out: so two records that say the same are the same. */
function numbersOf({ connections, packets_per_second, kilobytes_per_second }: Numbers) {
  return {
    ...(connections !== undefined && { connections }),
    ...(packets_per_second !== undefined && { packetsPerSecond: packets_per_second }),
    ...(kilobytes_per_second !== undefined && { kilobytesPerSecond: kilobytes_per_second }),
  };
}

function virtualNumbersOf({ capacity, score }: RecordOf<'vs'>) {
  return { ...(capacity !== undefined && { capacity }), ...(score !== undefined && { score }) };
}

function machineNumbersOf({ cpu, memory_available }: RecordOf<'server'>) {
  return {
    ...(cpu !== undefined && { cpu: Math.min(100, cpu) }),
    ...(memory_available !== undefined && { memoryAvailable: memory_available }),
  };
}
