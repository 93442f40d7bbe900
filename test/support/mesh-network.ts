// A network of machines with meshes in one process: connections with delays, that are lost, cut, half open or slow, under one clock.
//
// A connection keeps order; several do not among each other. What is cut off is kept, as TCP does, and comes some time after the cut has
// healed; what is half open vanishes without a word.

import type { Log, LogFields, LogLevel } from '../../src/core/log.ts';
import type { MeshClock, ChannelEvents, MeshTransport, MessageChannel } from '../../src/iquery/mesh-transport.ts';
import type { MeshFeature, PeerServer } from '../../src/iquery/mesh-feature.ts';
import type { MeshSettings } from '../../src/iquery/session-context.ts';
import { Mesh } from '../../src/iquery/mesh.ts';
import type { Message } from '../../src/iquery/messages.ts';
import { FakeClock } from './health-rig.ts';

/** Messages that are not read yet, until a sender is told to wait; and of those, what the network has taken. */
const WINDOW = 600;
const TAKEN = 300;
const MESSAGE_OCTETS = 100;
/** Going over all connections is not for every little step. */
const LET_GO_MS = 1000;

/** The same numbers from the same seed: mulberry32. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export type Line = { readonly at: number; readonly level: LogLevel; readonly message: string; readonly code: unknown };

/** A machine's own clock: it goes as fast as the others', and its time of day may be set. */
export class MachineClock implements MeshClock {
  readonly #clock: FakeClock;
  offset = 0;
  /** Whoever made a timer may be gone when it fires. */
  isAlive = true;

  constructor(clock: FakeClock) {
    this.#clock = clock;
  }

  now(): number {
    return this.#clock.now();
  }

  wall(): number {
    return this.#clock.wall() + this.offset;
  }

  setTimer(milliseconds: number, fire: () => void): () => void {
    return this.#clock.setTimer(milliseconds, () => {
      if (this.isAlive) fire();
    });
  }
}

type Side = {
  readonly machine: Machine;
  events: ChannelEvents | undefined;
  isClosed: boolean;
  /** Sent by the other side, and not read by this one. */
  unread: number;
  isFull: boolean;
  /** When the last thing that is on its way to this side gets there. */
  lastAt: number;
  readonly queue: Message[];
  isReading: boolean;
  /** Sent by this side so far. */
  sent: number;
  received: number;
};

export class Connection {
  readonly #network: MeshNetwork;
  readonly client: Side;
  readonly server: Side;
  /** Nothing arrives any more, and nobody is told. */
  isLost = false;

  constructor(network: MeshNetwork, client: Machine, server: Machine) {
    this.#network = network;
    const side = (machine: Machine): Side => ({
      ...{ machine, events: undefined, isClosed: false, unread: 0, isFull: false },
      ...{ lastAt: 0, queue: [], isReading: false, sent: 0, received: 0 },
    });
    this.client = side(client);
    this.server = side(server);
  }

  get isOver(): boolean {
    return this.client.isClosed && this.server.isClosed;
  }

  channel(own: Side): MessageChannel {
    const other = own === this.client ? this.server : this.client;
    return {
      send: (messages) => {
        if (own.isClosed) return true;
        own.sent += messages.length;
        other.unread += messages.length;
        for (const message of messages) this.#network.sent.set(message.message, this.#network.sentOf(message) + 1);
        const copies = [...messages];
        this.#carry(own, other, () => this.#arrive(own, other, copies));
        if (other.unread < WINDOW) return true;
        own.isFull = true;
        return false;
      },
      close: (reason) => {
        if (own.isClosed) return;
        own.isClosed = true;
        this.#carry(own, other, () => this.#close(other, `closed by the other side: ${reason}`));
      },
      get octetsIn() {
        return own.received * MESSAGE_OCTETS;
      },
      get octetsOut() {
        return (own.sent - Math.max(0, other.unread - TAKEN)) * MESSAGE_OCTETS;
      },
    };
  }

  /** Both sides are told, as by a reset. */
  reset(): void {
    for (const side of [this.client, this.server]) {
      this.#network.clock.setTimer(this.#network.delay(), () => this.#close(side, 'connection reset'));
    }
  }

  /** From one side to the other, behind all that is on its way, and not while they are cut off. */
  #carry(own: Side, other: Side, act: () => void): void {
    const network = this.#network;
    const at = Math.max(other.lastAt, network.clock.now() + network.delay());
    other.lastAt = at;
    const arrive = (): void => {
      if (this.isLost) return;
      if (network.isCut(own.machine, other.machine)) network.whenHealed(own.machine, other.machine, arrive);
      else act();
    };
    network.clock.setTimer(at - network.clock.now(), arrive);
  }

  #arrive(own: Side, other: Side, messages: readonly Message[]): void {
    // A machine that is there, and does not know the connection, says so.
    if (!other.machine.isAlive) return;
    if (other.isClosed || other.events === undefined) {
      this.#close(own, 'connection reset');
      return;
    }
    other.queue.push(...messages);
    if (!other.isReading) this.#read(own, other);
  }

  #read(own: Side, other: Side): void {
    const { machine } = other;
    other.isReading = true;
    const most = machine.readsAtOnce;
    if (most > 0 && other.queue.length > 0) {
      const some = other.queue.splice(0, most);
      other.unread -= some.length;
      other.received += some.length;
      other.events?.heard();
      for (const message of some) if (!other.isClosed) other.events?.message(message);
      if (own.isFull && other.unread < WINDOW / 2 && !own.isClosed) {
        own.isFull = false;
        own.events?.drained();
      }
    }
    if (other.isClosed || other.queue.length === 0) other.isReading = false;
    else this.#network.clock.setTimer(machine.readsEveryMs, () => this.#read(own, other));
  }

  #close(side: Side, reason: string): void {
    if (side.isClosed || this.isLost) return;
    side.isClosed = true;
    if (side.machine.isAlive) side.events?.closed(reason);
  }
}

export class MeshNetwork {
  readonly clock = new FakeClock();
  readonly random: () => number;
  readonly machines = new Map<string, Machine>();
  readonly connections = new Set<Connection>();
  readonly #cuts = new Map<string, (() => void)[]>();
  /** By names of messages. */
  readonly sent = new Map<string, number>();
  /** Who dialled whom, and when. */
  readonly dials: { readonly at: number; readonly from: string; readonly to: string }[] = [];
  /** One way. */
  leastDelayMs = 1;
  mostDelayMs = 20;

  constructor(seed: number) {
    this.random = randomOf(seed);
  }

  delay(): number {
    return this.leastDelayMs + (this.mostDelayMs - this.leastDelayMs) * this.random();
  }

  sentOf({ message }: Pick<Message, 'message'>): number {
    return this.sent.get(message) ?? 0;
  }

  /** A machine is not cut off from itself. */
  cut(one: Machine, other: Machine): void {
    if (one === other) return;
    const key = pairOf(one, other);
    if (!this.#cuts.has(key)) this.#cuts.set(key, []);
  }

  /** What was sent meanwhile comes within some time, as the attempts of TCP to send it again become rarer. */
  heal(one: Machine, other: Machine): void {
    const key = pairOf(one, other);
    const held = this.#cuts.get(key) ?? [];
    this.#cuts.delete(key);
    const wait = 200 + 5000 * this.random();
    for (const arrive of held) this.clock.setTimer(wait, arrive);
  }

  healAll(): void {
    const machines = [...this.machines.values()];
    for (const one of machines) for (const other of machines) if (one.name < other.name) this.heal(one, other);
  }

  isCut(one: Machine, other: Machine): boolean {
    return this.#cuts.has(pairOf(one, other));
  }

  whenHealed(one: Machine, other: Machine, arrive: () => void): void {
    this.#cuts.get(pairOf(one, other))!.push(arrive);
  }

  machineAt(address: string): Machine | undefined {
    for (const machine of this.machines.values()) if (machine.addresses.includes(address)) return machine;
    return undefined;
  }

  connectionsOf(machine: Machine): Connection[] {
    return [...this.connections].filter(
      ({ client, server, isOver }) => !isOver && (client.machine === machine || server.machine === machine),
    );
  }

  dial(from: Machine, peer: PeerServer, events: ChannelEvents): MessageChannel {
    this.dials.push({ at: this.clock.now(), from: from.name, to: peer.server });
    const to = this.machineAt(peer.address);
    const target = to ?? from;
    const connection = new Connection(this, from, target);
    this.connections.add(connection);
    const { client, server } = connection;
    client.events = events;
    const wait = 3 * this.delay();
    this.clock.setTimer(wait, () => {
      if (client.isClosed || connection.isLost || this.isCut(from, target)) return;
      if (to?.isAlive !== true || to.refuses) {
        client.isClosed = server.isClosed = true;
        if (from.isAlive) events.closed('connection refused');
        return;
      }
      client.lastAt = server.lastAt = this.clock.now() + this.delay();
      if (from.isAlive) events.opened();
      const own = from.addresses[0]!;
      server.events = to.accept(connection.channel(server), own);
    });
    return connection.channel(client);
  }

  /** So many simulated milliseconds; over connections are let go of. */
  run(milliseconds: number): void {
    this.clock.advance(milliseconds);
    if (milliseconds < LET_GO_MS) return;
    for (const connection of this.connections) if (connection.isOver) this.connections.delete(connection);
  }
}

const pairOf = (one: Machine, other: Machine): string =>
  one.name < other.name ? `${one.name} ${other.name}` : `${other.name} ${one.name}`;

export type MachineOptions = {
  readonly name: string;
  readonly addresses: readonly string[];
  readonly features?: () => readonly MeshFeature[];
};

/** One machine: its mesh, which may be started again, and its log. */
export class Machine {
  readonly name: string;
  readonly addresses: readonly string[];
  readonly network: MeshNetwork;
  readonly lines: Line[] = [];
  readonly #features: () => readonly MeshFeature[];
  deviceId: string;
  clock: MachineClock;
  mesh: Mesh;
  isAlive = true;
  /** Accepts nothing. */
  refuses = false;
  /** How it reads what comes: so many messages, and again after so long; 0: nothing. */
  readsAtOnce = Infinity;
  readsEveryMs = 1;
  peers: readonly PeerServer[] = [];
  settings: MeshSettings = { heartbeatMs: 10_000, syncGroup: 'default', isGtm: true };
  /** Instead of the mesh, for machines that speak otherwise. */
  acceptor: ((channel: MessageChannel, from: string) => ChannelEvents) | undefined;

  constructor(network: MeshNetwork, { name, addresses, features = () => [] }: MachineOptions) {
    this.network = network;
    this.name = name;
    this.addresses = addresses;
    this.deviceId = `id of ${name}`;
    this.#features = features;
    this.clock = new MachineClock(network.clock);
    this.mesh = this.#make();
    network.machines.set(name, this);
  }

  /** As what `gtm server` it is dialled. */
  get server(): string {
    return `/Common/${this.name}`;
  }

  accept(channel: MessageChannel, from: string): ChannelEvents {
    return this.acceptor === undefined ? this.mesh.accept(channel, from) : this.acceptor(channel, from);
  }

  /** All addresses of these, in their order. */
  dials(machines: readonly Machine[]): void {
    this.peers = machines.flatMap((machine) => machine.addresses.map((address) => peerOf(machine, address, this)));
    this.mesh.wantPeers(this.peers, this.settings);
  }

  set(settings: Partial<MeshSettings>): void {
    this.settings = { ...this.settings, ...settings };
    this.mesh.wantPeers(this.peers, this.settings);
  }

  /** As by power: nobody is told. */
  vanish(): void {
    this.isAlive = false;
    this.clock.isAlive = false;
    for (const connection of this.network.connectionsOf(this)) {
      for (const side of [connection.client, connection.server]) if (side.machine === this) side.isClosed = true;
    }
  }

  /** Once it is back, it knows of none of its connections. */
  start(): void {
    if (this.isAlive) return;
    const { offset } = this.clock;
    this.isAlive = true;
    this.clock = new MachineClock(this.network.clock);
    this.clock.offset = offset;
    this.mesh = this.#make();
    this.mesh.wantPeers(this.peers, this.settings);
  }

  linesOf(code: string): readonly Line[] {
    return this.lines.filter((line) => line.code === code);
  }

  #make(): Mesh {
    const { network } = this;
    const line =
      (level: LogLevel) =>
      (message: string, fields?: LogFields): void => {
        this.lines.push({ at: network.clock.now(), level, message, code: fields?.code });
      };
    const log: Log = { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') };
    const transport: MeshTransport = {
      compression: ['gzip'],
      dial: (peer, events) => network.dial(this, peer, events),
    };
    return new Mesh({
      ...{ clock: this.clock, random: network.random, transport, log, features: this.#features() },
      self: { device: this.name, deviceId: this.deviceId, version: '1.0.0', big3d: 'wideplane 1.0.0' },
    });
  }
}

export function peerOf(machine: Machine, address: string, dialler: Machine, server = machine.server): PeerServer {
  return { server, datacenter: '/Common/dc', device: machine.name, address, isThisMachine: machine === dialler };
}
