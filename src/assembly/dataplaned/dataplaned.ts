// The main thread of dataplaned: the configuration comes in, ports and the worker follow it, questions are answered.
//
//   configd ─► subscriber ─► objects ─┐
//                                     ├─► model ─► planner ─► operations ─► worker
//   kernel ─► device watcher ─────────┘      └───► port keeper ─► ports ──► worker
//
// Nothing here stands in the way of a frame: the worker goes on whatever this thread does.

import { formatBareAddress } from '../../core/address.ts';
import { macHigh16, macLow32 } from '../../core/mac.ts';
import type { Log } from '../../core/log.ts';
import { applyChanges, type ConfigChange, type Generation, mapObjects, type ObjectMap } from '../../config/change.ts';
import type { AnyConfigObject } from '../../config/object-type.ts';
import { makesDevice, ownsDevice } from '../../config/types/net-interface.ts';
import { openCryptoBatch } from '../../net/batch-crypto.ts';
import { logEvent } from '../../core/log-codes.ts';
import type { SequenceStore } from '../../store/sequence-store.ts';
import { AssociationKeeper } from './association-keeper.ts';
import { AssociationStates } from './association-states.ts';
import type { LoadedAddon } from '../../native/addon.ts';
import { type Device, DeviceWatcher, type Devices } from '../../net/device-watcher.ts';
import { PolledDevices } from '../../net/polled-devices.ts';
import type { ConfigApplier } from '../config-subscriber.ts';
import { type ConfigView, viewOf } from './config-view.ts';
import { ConflictReporter } from './conflict-reporter.ts';
import { EventLoopDriver } from './event-loop-driver.ts';
import { COUNTER_ROWS, type DriverEvents, type FrameDriver } from './frame-driver.ts';
import { buildModel } from './build-model.ts';
import type { KeyExchangePlane } from './key-exchange-service.ts';
import { HostPathClient, type HostPathService } from './host-path-client.ts';
import type { DeviceFacts, Failure, Model } from './model.ts';
import { DataplaneIpsecStatistics } from './ipsec-statistics.ts';
import { associationRowKey } from './ipsec-plan.ts';
import { isHostPort, Planner } from './planner.ts';
import { PortOpener } from './port-factory.ts';
import { RunTimeAssociations } from './run-time-associations.ts';
import { IpcError } from '../../ipc/ipc-error.ts';
import type { NewAssociation } from '../../ipc/ipsec-daemon-schema.ts';
import type { DeviceWishes } from '../../ipc/schema.ts';
import { type DeviceState, PortKeeper, type PrepareDevice } from './port-keeper.ts';
import type { ShowSources } from './show-service.ts';
import { StationLocator } from './station-locator.ts';
import { LoopReporter } from './loop-reporter.ts';
import type { Operation } from './spec.ts';
import { WorkerThread } from './worker-thread.ts';

/** How long a change of configuration waits for ports to open, so that it can report those that do not. */
const PORT_PATIENCE_MS = 3000;
/** Operations that are handed to the worker at once: with full rows of stations, some 350 KB. */
const OPERATIONS_PER_MESSAGE = 64;

export type DataplanedOptions = {
  /** Without the addon the data plane runs on this thread, with the adapters that do without. */
  addon: LoadedAddon;
  /** Makes a device fit to be opened. */
  prepare: (...request: [...Parameters<PrepareDevice>, wishes: DeviceWishes]) => ReturnType<PrepareDevice>;
  /** Makes the devices by which the host reaches self IPs; undefined: nobody does, and it does not reach them. */
  hostPaths?: HostPathService | undefined;
  /** Told which devices the configuration takes over, whenever that changes. */
  retain: (devices: readonly string[]) => void;
  /** The worker has ended by itself: nothing moves frames any more. */
  died: (reason: string) => void;
  log: Log;
};

export class Dataplaned implements ConfigApplier {
  readonly #options: DataplanedOptions;
  readonly #worker: FrameDriver;
  readonly #watcher: Devices;
  readonly #keeper: PortKeeper;
  readonly #planner = new Planner(COUNTER_ROWS);
  readonly #tickets = new Map<number, () => void>();
  #nextTicket = 1;
  #turn: Promise<void> = Promise.resolve();
  #objects: ObjectMap = new Map();
  #view: ConfigView = viewOf([]);
  #model: Model = buildModel(this.#view, new Map());
  #retained = '';
  #lookScheduled = false;
  readonly #loops: LoopReporter;
  readonly #hostPaths: HostPathClient | undefined;
  /** Whether a configuration has come, and the connections of this host have been asked for. */
  #isConfigured = false;
  readonly #conflicts: ConflictReporter;
  #associations: AssociationKeeper | undefined;
  #states: AssociationStates | undefined;
  /** Associations that a daemon of key exchange has made. */
  readonly #runTime = new RunTimeAssociations();
  /** Why there is no IPsec. */
  #noIpsec = 'IPsec needs the addon, which cannot be loaded';
  /** What `show` says of security associations. */
  readonly ipsec = new DataplaneIpsecStatistics(
    () => this.sources(),
    () => {
      const [keeper, states] = [this.#associations, this.#states];
      return keeper && states && { keeper, states, remake: (names) => this.#remake(names) };
    },
  );

  /** Where stations are that others ask for. */
  readonly stations = new StationLocator(
    () => this.sources(),
    (places) => this.#apply([{ op: 'seek-neighbours', places }]),
  );

  /** What a daemon of key exchange reaches. */
  readonly keyExchange: KeyExchangePlane = {
    memory: () => {
      const { memory: arena, keyExchange: ring } = this.#worker;
      return this.#associations && ring && { arena, ring };
    },
    want: (isWanted) => this.#apply([{ op: 'set-key-exchange', isWanted }]),
    send: (spec) => this.#apply([{ op: 'send-key-exchange', spec }]),
    isOurs: (routeDomain, address) =>
      [...this.#model.selfs.values()].some(
        ({ words, routeDomain: own }) => own === routeDomain && words.every((word, at) => word === address[at]),
      ),
    nameOf: (member) => {
      const key = this.#planner.memberNames().get(member);
      // A packet that came out of a security association has come to the domain itself.
      return key && (this.#model.interfaceMembers.get(key)?.segment ?? key.replace(/^local /, ''));
    },
  };

  constructor(options: DataplanedOptions) {
    this.#options = options;
    const { log } = options;
    const { addon } = options.addon;
    const events: DriverEvents = {
      applied: (ticket) => {
        this.#tickets.get(ticket)?.();
        this.#tickets.delete(ticket);
      },
      portRemoved: (index) => this.#keeper.workerRemoved(index),
      died: options.died,
    };
    const { hostPaths } = options;
    const isThere = (device: string): boolean => this.#watcher.find(device) !== undefined;
    this.#hostPaths = hostPaths && new HostPathClient(hostPaths, isThere, log);
    this.#loops = new LoopReporter(this.sources, log);
    this.#conflicts = new ConflictReporter(this.sources, log);
    this.#worker = addon === undefined ? new EventLoopDriver(events) : new WorkerThread(addon, events);
    this.#watcher = addon === undefined ? new PolledDevices() : new DeviceWatcher(addon);
    this.#keeper = new PortKeeper({
      opener: new PortOpener(options.addon, this.#worker),
      device: (name) => this.#deviceState(name),
      prepare: (name, device, owner) =>
        isHostPort(name)
          ? this.#hostPaths!.prepare(device)
          : options.prepare(name, device, owner, this.#wishesOf(name)),
      place: (key) => ({ index: this.#planner.port(key), row: this.#planner.portRow(key) }),
      domain: (name) => this.#planner.domain(name),
      post: (message) => this.#worker.post(message),
      log,
    });
    for (const event of ['appeared', 'changed', 'gone', 'addressAdded', 'addressRemoved'] as const) {
      this.#watcher.on(event, () => this.#scheduleLook());
    }
    this.#watcher.on('failed', (error) => log.error(`devices are no longer watched: ${error.message}`));
  }

  #wishesOf(interfaceName: string): DeviceWishes {
    const { interfaces, tapMtus } = this.#model;
    const tapMtu = tapMtus.get(interfaceName);
    const wanted = interfaces.get(interfaceName);
    if (tapMtu !== undefined) return { tapMtu, tapKind: wanted?.adapter === 'tun' ? 'tun' : 'tap' };
    return {
      transmitOffloads: wanted?.finishesFrames === true ? 'off' : 'keep',
      receiveOffloads: wanted?.receiveOffloads ?? 'keep',
    };
  }

  /** Resolves when the worker runs and the machine's devices are known. */
  async start(): Promise<void> {
    await this.#worker.ready();
    await this.#watcher.start();
    this.#loops.start();
    this.#conflicts.start();
  }

  /** To be called before the first configuration comes: without it there is no IPsec. `ranBefore`: as in AssociationKeeper. */
  startIpsec(store: SequenceStore, ranBefore: ReadonlySet<string>): void {
    const { addon } = this.#options.addon;
    const { associations } = this.#worker;
    if (addon === undefined || associations === undefined) return;
    const { log } = this.#options;
    const crypto = openCryptoBatch(addon, this.#worker.arena);
    logEvent(log, 'crypto-ready', `IPsec is sealed and opened by ${crypto.name}: ${crypto.reason}`);
    const states = new AssociationStates(associations);
    this.#states = states;
    this.#associations = new AssociationKeeper({ crypto, store, states, ranBefore, log });
  }

  /** The same, where there can be none for a reason. */
  refuseIpsec(reason: string): void {
    this.#noIpsec = reason;
  }

  /** Takes associations down, and those of the configuration up again. */
  async #remake(names: readonly string[]): Promise<void> {
    const manual = names.filter((name) => !this.#runTime.has(name));
    for (const name of names) this.#runTime.remove(name);
    this.#associations?.forget(manual);
    for (const name of manual) this.#worker.counters.clear(this.#planner.row(associationRowKey(name)));
    await this.#reconcile();
  }

  /** Makes an association that a daemon asks for; resolves when packets go by it. Throws an IpcError. */
  async addAssociation(wanted: NewAssociation): Promise<void> {
    if (this.#associations === undefined) throw new IpcError('refused', this.#noIpsec);
    this.#runTime.add(wanted, this.#view, this.#model);
    await this.#reconcile();
  }

  /** Goes over to a configuration; resolves, when the worker runs it, to what could not be applied. */
  async onSnapshot(_generation: Generation, objects: readonly AnyConfigObject[]): Promise<Failure[]> {
    return this.#goOver(mapObjects(objects));
  }

  async onDiff(_generation: Generation, changes: readonly ConfigChange[]): Promise<Failure[]> {
    return this.#goOver(applyChanges(this.#objects, changes));
  }

  async #goOver(objects: ObjectMap): Promise<Failure[]> {
    this.#objects = objects;
    this.#view = viewOf(objects.values(), this.#view);
    const isFirst = !this.#isConfigured;
    this.#isConfigured = true;
    await this.#reconcile();
    if (isFirst) void this.#seedHostFlows();
    await this.#keeper.settled(PORT_PATIENCE_MS);
    return this.failures();
  }

  failures(): Failure[] {
    const failures = [...this.#model.failures, ...this.#keeper.failures(), ...this.#ipsecFailures()];
    const ofHostPaths = this.#hostPaths?.failures(this.#model) ?? [];
    return [...failures, ...ofHostPaths.filter(({ object }) => !failures.some((other) => other.object === object))];
  }

  #ipsecFailures(): readonly Failure[] {
    if (this.#associations !== undefined) return this.#associations.failures();
    const reason = this.#noIpsec;
    return [...this.#view.manualAssociations.values()].map(({ type, name }) => ({ object: `${type} ${name}`, reason }));
  }

  /** What `show` and captures read. */
  readonly sources = (): ShowSources => ({
    view: this.#view,
    model: this.#model,
    planner: this.#planner,
    worker: this.#worker,
    keeper: this.#keeper,
    devices: this.#deviceFacts(),
    namespaceOf: (device) => this.#hostPaths?.namespaceOf(device),
  });

  /** Closes everything; what waits in a device's queue is still sent by the kernel. */
  async stop(): Promise<void> {
    this.#loops.stop();
    this.#hostPaths?.stop();
    this.#conflicts.stop();
    this.#keeper.stop();
    this.#associations?.stop();
    this.#watcher.close();
    await this.#worker.stop();
  }

  /** One after the other: what is planned starts where the plan before it ends. */
  async #reconcile(): Promise<void> {
    const before = this.#turn;
    let done: () => void = () => undefined;
    this.#turn = new Promise((resolve) => (done = resolve));
    await before;
    try {
      await this.#reconcileNow();
    } finally {
      done();
    }
  }

  async #reconcileNow(): Promise<void> {
    this.#model = buildModel(this.#view, this.#deviceFacts());
    this.#runTime.addTo(this.#model, this.#view);
    if (this.#hostPaths === undefined) this.#model.hostPaths.clear();
    else if (this.#isConfigured) this.#hostPaths.want(this.#model);
    const associations = this.#associations;
    const closing = (await associations?.want(this.#model.associations)) ?? [];
    const { operations, freedRows } = this.#planner.plan(this.#model, associations?.keyOf);
    associations?.place((name) => this.#planner.association(name));
    this.#keeper.want(this.#model);
    const devices = this.#devicesInUse();
    if (this.#retained !== devices.join(' ')) {
      this.#retained = devices.join(' ');
      this.#options.retain(devices);
    }
    let batch: Operation[] = [];
    for (const operation of operations) {
      batch.push(operation);
      if (batch.length < OPERATIONS_PER_MESSAGE) continue;
      await this.#apply(batch);
      batch = [];
    }
    await this.#apply(batch);
    associations?.close(closing);
    for (const row of freedRows) this.#worker.counters.clear(row);
    this.#planner.recycle(freedRows);
  }

  /** What sockets of this host have begun before a restart goes on, whatever port lockdown says. */
  async #seedHostFlows(): Promise<void> {
    const sockets = (await this.#hostPaths?.connections(this.#model)) ?? [];
    if (sockets.length > 0) await this.#apply([{ op: 'seed-host-flows', sockets }]);
  }

  /** Resolves when the worker has applied them. */
  async #apply(operations: readonly Operation[]): Promise<void> {
    const ticket = this.#nextTicket++;
    const applied = new Promise<void>((resolve) => this.#tickets.set(ticket, resolve));
    this.#worker.post({ kind: 'operations', operations, ticket });
    await applied;
  }

  /** Devices that are ours, or that we made; those of a disabled interface keep what the host has given them. */
  #devicesInUse(): string[] {
    return [...this.#view.interfaces.values()].flatMap(({ properties: { device, adapter, enabled } }) =>
      device !== undefined && (makesDevice(adapter) || (ownsDevice(adapter) && enabled)) ? [device] : [],
    );
  }

  /** Looks once after a volley of events. */
  #scheduleLook(): void {
    if (this.#lookScheduled) return;
    this.#lookScheduled = true;
    setImmediate(() => {
      this.#lookScheduled = false;
      // A device's MAC and MTU are part of the model.
      void this.#reconcile();
    });
  }

  #deviceFacts(): Map<string, DeviceFacts> {
    return new Map(
      this.#watcher.devices.map((device) => [
        device.name,
        { mac: { high: macHigh16(device.mac), low: macLow32(device.mac) }, mtu: device.mtu, isUp: device.isRunning },
      ]),
    );
  }

  #deviceState(name: string): DeviceState | undefined {
    const device = this.#watcher.find(name);
    return device === undefined ? undefined : stateOf(device);
  }
}

function stateOf(device: Device): DeviceState {
  const addresses = new Set(device.addresses.map(({ address }) => formatBareAddress(address)));
  return { index: device.index, isUp: device.isRunning, mtu: device.mtu, addresses };
}
