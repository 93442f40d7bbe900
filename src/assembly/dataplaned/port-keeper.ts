// Keeps ports open for the interfaces and sockets that the configuration wants, for as long as their devices and addresses
// are there.
//
//   wanted and device (or address) there ─► prepared ─► opened on this thread ─► handed to the worker
//   gone, or no longer wanted            ─► worker lets go ─► closed
//
// Whatever is missing is waited for: each change of a device or address leads to another look at all of them. A port that
// failed to open is tried again when something about its device changes, and once in a while.

import { logEvent } from '../../core/log-codes.ts';
import type { Log } from '../../core/log.ts';
import type { Failure, InterfaceModel, Model, SocketModel } from './model.ts';
import { carriesFrames, makesDevice } from '../../config/types/net-interface.ts';
import { hostPortKey } from './planner.ts';
import { FILES_DEVICE, type OpenPort, type PortOpener } from './port-factory.ts';
import type { ToWorker } from './worker-protocol.ts';

/** What the keeper needs to know of a device now. */
export type DeviceState = { index: number; isUp: boolean; mtu: number; addresses: ReadonlySet<string> };

export type PrepareDevice = (
  interfaceName: string,
  device: string,
  addressOwner: 'host' | 'wideplane',
) => Promise<{ ok: true } | { ok: false; reason: string }>;

export type PortKeeperOptions = {
  opener: PortOpener;
  device: (name: string) => DeviceState | undefined;
  prepare: PrepareDevice;
  /** Number and counter row of a port. */
  place: (key: string) => { index: number; row: number };
  /** Number of a domain, by its name. */
  domain: (name: string) => number;
  post: (message: ToWorker) => void;
  log: Log;
};

type Wanted = { kind: 'interface'; model: InterfaceModel } | { kind: 'socket'; model: SocketModel };

type Entry = {
  key: string;
  wanted: Wanted;
  open: OpenPort | undefined;
  /** Why it is not open. */
  failure: string | undefined;
  /** An opening or closing that is under way. */
  busy: boolean;
  /** What the device looked like when opening it failed. */
  failedAt: string | undefined;
  retryAtMs: number;
  /** Whether the device was there since it was opened: one that is made here is heard of a moment later. */
  wasSeen: boolean;
  /** Whether the link was up when it was last looked at. */
  wasUp: boolean;
};

const RETRY_MS = 5000;

export class PortKeeper {
  readonly #options: PortKeeperOptions;
  readonly #entries = new Map<string, Entry>();
  #stopped = false;
  readonly #removed = new Map<number, () => void>();

  constructor(options: PortKeeperOptions) {
    this.#options = options;
  }

  /** Takes over what is wanted from now on. */
  want(model: Model): void {
    const wanted = new Map<string, Wanted>();
    for (const [key, port] of model.interfaces) {
      if (carriesFrames(port.adapter)) wanted.set(key, { kind: 'interface', model: port });
    }
    for (const { domain, device, object, routeDomain } of model.hostPaths.values()) {
      const key = hostPortKey(domain);
      const adapter = routeDomain === 0 ? 'tap' : 'packet-ring';
      wanted.set(key, {
        kind: 'interface',
        model: {
          name: key,
          device,
          adapter,
          files: undefined,
          finishesFrames: false,
          receiveOffloads: 'keep',
          tunnelOffload: 'disabled',
          object,
        },
      });
    }
    for (const [key, socket] of model.sockets) wanted.set(key, { kind: 'socket', model: socket });
    for (const [key, entry] of this.#entries) {
      const next = wanted.get(key);
      if (next !== undefined && JSON.stringify(next) === JSON.stringify(entry.wanted)) continue;
      this.#entries.delete(key);
      void this.#close(entry);
    }
    for (const [key, description] of wanted) {
      if (this.#entries.has(key)) continue;
      this.#entries.set(key, {
        key,
        wanted: description,
        open: undefined,
        failure: undefined,
        busy: false,
        failedAt: undefined,
        retryAtMs: 0,
        wasSeen: false,
        wasUp: false,
      });
    }
    this.look();
  }

  /** Looks at every port and its device: opens what can be opened, closes what has gone. */
  look(): void {
    if (this.#stopped) return;
    for (const entry of this.#entries.values()) if (!entry.busy) this.#lookAt(entry);
  }

  /** Why ports that are wanted are not open. */
  failures(): Failure[] {
    return [...this.#entries.values()].flatMap(({ failure, wanted }) => {
      if (failure === undefined) return [];
      const object =
        wanted.kind === 'interface'
          ? (wanted.model.object ?? `net interface ${wanted.model.name}`)
          : `net self ${wanted.model.self}`;
      return [{ object, reason: failure }];
    });
  }

  /** Resolves when no opening or closing is under way, or after `patienceMs`. */
  async settled(patienceMs: number): Promise<void> {
    const deadline = Date.now() + patienceMs;
    while ([...this.#entries.values()].some(({ busy }) => busy) && Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** Whether the port of an interface or socket is open and its device up. */
  state(key: string): 'up' | 'down' | 'failed' | 'absent' {
    const entry = this.#entries.get(key);
    if (entry === undefined) return 'absent';
    if (entry.open === undefined) return 'failed';
    return this.#device(entry.wanted)?.isUp === true ? 'up' : 'down';
  }

  /** The worker no longer touches this port. */
  workerRemoved(index: number): void {
    this.#removed.get(index)?.();
    this.#removed.delete(index);
  }

  stop(): void {
    this.#stopped = true;
    this.#options.opener.close();
  }

  #device(wanted: Wanted): DeviceState | undefined {
    return hasFiles(wanted) ? FILES_DEVICE : this.#options.device(deviceOf(wanted));
  }

  #lookAt(entry: Entry): void {
    const name = deviceOf(entry.wanted);
    const device = this.#device(entry.wanted);
    if (entry.open !== undefined) {
      if (device === undefined && !entry.wasSeen) return;
      entry.wasSeen = true;
      if (device?.index !== entry.open.deviceIndex || !this.#hasAddress(entry.wanted, device)) {
        const what = device === undefined ? absent(name) : lostReason(entry.wanted, device, entry.open);
        this.#waiting(entry, what);
        this.#fail(entry, what);
        void this.#close(entry);
      } else {
        this.#noteLink(entry, device);
        const joins = entry.open.description.adapter === 'packet-ring' && this.#options.opener.joins(name);
        const { isUp, mtu } = device;
        this.#options.opener.fit(entry.open, mtu, this.#options.log);
        this.#options.opener.note(entry.open, isUp, mtu);
        this.#options.post({ kind: 'set-port-state', index: entry.open.index, isUp, mtu, joins });
      }
      return;
    }
    const missing = this.#missing(entry.wanted, device);
    if (missing !== undefined) {
      if (entry.failure !== missing) this.#waiting(entry, missing);
      this.#fail(entry, missing);
      return;
    }
    const look = device === undefined ? 'absent' : `${device.index} ${device.isUp} ${device.mtu}`;
    if (entry.failedAt === look && Date.now() < entry.retryAtMs) return;
    void this.#openPort(entry, device, look);
  }

  #waiting(entry: Entry, what: string): void {
    logEvent(this.#options.log, 'port-waiting', `port ${entry.key}: ${what}; waiting for it`);
  }

  /** Says once that a link went down, and once that it came back. */
  #noteLink(entry: Entry, device: DeviceState): void {
    if (entry.wasUp === device.isUp) return;
    entry.wasUp = device.isUp;
    const name = deviceOf(entry.wanted);
    if (device.isUp) logEvent(this.#options.log, 'port-open', `port ${entry.key}: the link of ${name} is up again`);
    else this.#waiting(entry, `the link of ${name} is down`);
  }

  #missing(wanted: Wanted, device: DeviceState | undefined): string | undefined {
    const name = deviceOf(wanted);
    if (device === undefined) return isMade(wanted) ? undefined : absent(name);
    if (this.#hasAddress(wanted, device)) return undefined;
    return `address ${(wanted.model as SocketModel).localAddress} is not on device ${name}`;
  }

  #hasAddress(wanted: Wanted, device: DeviceState): boolean {
    return wanted.kind === 'interface' || device.addresses.has(wanted.model.localAddress);
  }

  async #openPort(entry: Entry, device: DeviceState | undefined, look: string): Promise<void> {
    const { opener, prepare, place, post, log } = this.#options;
    entry.busy = true;
    try {
      const { wanted, key } = entry;
      if (hasFiles(wanted)) {
        // What is received finds its VLAN: the operations of this change have been posted when this goes on.
        await Promise.resolve();
      } else if (wanted.kind === 'interface') {
        const prepared = await prepare(wanted.model.name, wanted.model.device, 'wideplane');
        if (!prepared.ok) throw new Error(prepared.reason);
      }
      if (this.#stopped || this.#entries.get(key) !== entry) return;
      const { index, row } = place(key);
      const open =
        wanted.kind === 'interface'
          ? opener.openInterface(wanted.model, index, device)
          : opener.openSocket(wanted.model, index, this.#scopeOf(wanted.model), device!.index, device!.mtu);
      entry.open = open;
      entry.wasSeen = this.#device(wanted) !== undefined;
      entry.failedAt = undefined;
      this.#fail(entry, undefined);
      post({ kind: 'add-port', description: open.description, row });
      // Preparing it may have set it up.
      entry.wasUp = this.#device(wanted)?.isUp !== false;
      logEvent(
        log,
        'port-open',
        `port ${key} is open on ${placeOf(open, wanted)}${entry.wasUp ? '' : ', whose link is down'}`,
      );
      for (const warning of open.warnings ?? []) logEvent(log, 'port-limited', `port ${key}: ${warning}`);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (entry.failure !== reason) logEvent(log, 'port-failed', `port ${entry.key}: ${reason}`);
      entry.failedAt = look;
      entry.retryAtMs = Date.now() + RETRY_MS;
      setTimeout(() => this.look(), RETRY_MS + 1).unref();
      this.#fail(entry, reason);
    } finally {
      entry.busy = false;
    }
  }

  #scopeOf({ group }: SocketModel): number {
    return group === undefined ? 0 : this.#options.domain(group.domain);
  }

  #fail(entry: Entry, reason: string | undefined): void {
    entry.failure = reason;
  }

  async #close(entry: Entry): Promise<void> {
    const { open } = entry;
    if (open === undefined) return;
    entry.open = undefined;
    entry.busy = true;
    const removed = new Promise<void>((resolve) => this.#removed.set(open.index, resolve));
    this.#options.post({ kind: 'remove-port', index: open.index });
    await removed;
    this.#options.opener.release(open);
    entry.busy = false;
    this.look();
  }
}

/** Whether the device is made where there is none. */
const isMade = (wanted: Wanted): boolean => wanted.kind === 'interface' && makesDevice(wanted.model.adapter);

const absent = (device: string): string => `device ${device} does not exist`;
const deviceOf = (wanted: Wanted): string => wanted.model.device;
const hasFiles = (wanted: Wanted): boolean => wanted.kind === 'interface' && wanted.model.files !== undefined;

/** What a port is open on, for people. */
function placeOf({ description }: OpenPort, wanted: Wanted): string {
  switch (description.adapter) {
    case 'af-xdp': {
      const { isNative, descriptors } = description.sockets;
      const queues = descriptors.length === 1 ? 'one queue' : `${descriptors.length} queues`;
      return `${deviceOf(wanted)}, AF_XDP in ${isNative ? 'the driver' : 'generic code'}, ${queues}`;
    }
    case 'capture-file': {
      const { replay, record } = (wanted.model as InterfaceModel).files!;
      const uses = [
        ...(replay === undefined ? [] : [`replays ${replay}`]),
        ...(record === undefined ? [] : [`records ${record}`]),
      ];
      return `files: ${uses.join(', ')}`;
    }
    default:
      return deviceOf(wanted);
  }
}

function lostReason(wanted: Wanted, device: DeviceState, open: OpenPort): string {
  if (device.index !== open.deviceIndex) return `device ${deviceOf(wanted)} is another one of the same name`;
  return `address ${(wanted.model as SocketModel).localAddress} is no longer on device ${deviceOf(wanted)}`;
}
