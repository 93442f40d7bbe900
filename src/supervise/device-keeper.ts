// Keeps the devices of `net interface` objects: refuses, warns, takes over, gives back, and remembers what to undo.

import { errorText } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { ParamsOf, ResultOf } from '../ipc/schema.ts';
import type { DeviceJournal, JournalEntry } from './device-journal.ts';
import { addDropRule, giveBack, readDropTables, recordDevice, tableName, takeOver } from './device-takeover.ts';
import { checkKernel, OFFLOAD_KINDS, type OffloadKind, otherState, readOffloads, setOffloads } from './offloads.ts';
import { readDeviceConditions } from './device-conditions.ts';
import type { HostPathRequest } from './host-path.ts';
import { HostPathKeeper, type HostPathResult, removeHostPath } from './host-path-keeper.ts';
import { type HostSocket, readHostSockets } from './host-sockets.ts';
import { type MarkedHopResult, NextHopKeeper } from './next-hops.ts';
import { type QueryRule, QueryRuleKeeper, type QueryRuleResult } from './query-rules.ts';
import { deleteTap, makeTap, tapEntry } from './tap-device.ts';
import {
  readHostDevices,
  readDeviceNames,
  readHostFacts,
  readLink,
  type HostFacts,
  type LinkFact,
} from './host-facts.ts';
import { hostDeviceWarnings, refusal, takeoverWarnings } from './preflight.ts';

export type PrepareRequest = ParamsOf<'prepare-device'>;
export type PrepareResult = ResultOf<'prepare-device'>;

/** IANA's port of VXLAN (RFC 7348, section 8): what is assumed until the configuration is known. */
const VXLAN_PORT = 4789;

export type KeeperOptions = {
  journal: DeviceJournal;
  /** Take a device even when it carries the default route or the user's SSH session. */
  force: boolean;
  log: Log;
};

export class DeviceKeeper {
  readonly #options: KeeperOptions;
  readonly #hostPaths: HostPathKeeper;
  readonly #queryRules: QueryRuleKeeper;
  readonly #nextHops: NextHopKeeper;
  /** Requests run one after the other: each looks at the host, then changes it. */
  #last: Promise<unknown> = Promise.resolve();
  /** What was said already: a daemon asks again when it restarts, and from time to time. */
  readonly #said = new Set<string>();
  #tunnelPorts: readonly number[] = [VXLAN_PORT];

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#hostPaths = new HostPathKeeper(options.journal, options.log);
    this.#queryRules = new QueryRuleKeeper(options.journal, options.log);
    this.#nextHops = new NextHopKeeper(options.journal, options.log);
  }

  get devices(): readonly JournalEntry[] {
    return this.#options.journal.entries;
  }

  /** UDP ports on which tunnels of the present configuration listen: those that a firewall should let in. */
  set tunnelPorts(ports: readonly number[]) {
    this.#tunnelPorts = ports;
  }

  /** Makes a device fit to be opened; does nothing to one that already is. */
  prepare(request: PrepareRequest): Promise<PrepareResult> {
    return this.#inTurn(() => this.#prepare(request)).catch((error: unknown) => ({
      ok: false,
      reason: `property device, value ${request.device}: ${errorText(error)}`,
    }));
  }

  /** Gives back every device that is not among these: their interfaces were deleted. */
  retain(devices: readonly string[]): Promise<void> {
    return this.#inTurn(async () => {
      const names = await readDeviceNames();
      const gone = this.devices.filter(
        (entry) => entry.hostPath === undefined && !devices.includes(names.get(entry.ifindex) ?? ''),
      );
      for (const entry of gone) await this.#giveBack(entry, names);
    });
  }

  /** Makes the devices by which the host reaches its self IPs, all of them, and takes away any other. */
  setHostPaths(paths: readonly HostPathRequest[]): Promise<HostPathResult[]> {
    return this.#inTurn(() => this.#hostPaths.set(paths));
  }

  /** Keeps from the kernel what a daemon takes straight from devices, and lets it have everything else. */
  setQueryRules(daemon: string, rules: readonly QueryRule[]): Promise<QueryRuleResult[]> {
    return this.#inTurn(() => this.#queryRules.set(daemon, rules));
  }

  /** Has marked packets of a daemon go by next hops, all of them, and by no other. */
  setNextHops(daemon: string, hops: readonly string[]): Promise<MarkedHopResult[]> {
    return this.#inTurn(() => this.#nextHops.set(daemon, hops));
  }

  /** A daemon's process has ended: what it took goes to the kernel again. */
  daemonEnded(daemon: string): Promise<void> {
    return this.#inTurn(async () => {
      await this.#queryRules.daemonEnded(daemon);
      await this.#nextHops.daemonEnded(daemon);
    });
  }

  /** Whether there is something to undo. */
  get hasChanges(): boolean {
    const { queryTables, markedHops } = this.#options.journal;
    return this.devices.length > 0 || queryTables.length > 0 || markedHops.length > 0;
  }

  /** Connected sockets of the self IPs that the host has. */
  hostSockets(): Promise<HostSocket[]> {
    return this.#inTurn(() => readHostSockets(this.devices));
  }

  /** Gives back everything, at the end or after a predecessor that was killed. Resolves to whether all went well. */
  restoreAll(): Promise<boolean> {
    return this.#inTurn(async () => {
      let complete = await this.#queryRules.removeAll();
      complete = (await this.#nextHops.removeAll()) && complete;
      if (this.devices.length === 0) return complete;
      const names = await readDeviceNames();
      for (const entry of [...this.devices]) complete = (await this.#giveBack(entry, names)) && complete;
      return complete;
    });
  }

  /**
   * Looks whether taken devices still are: a firewall that is loaded anew flushes our rules, a network manager gives
   * addresses. The rule is made again; addresses are somebody's wish and only reported.
   */
  audit(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#queryRules.audit();
      await this.#nextHops.audit();
      if (this.devices.length === 0) return;
      const { log } = this.#options;
      const [facts, tables] = await Promise.all([readHostDevices(), readDropTables()]);
      for (const entry of this.devices) {
        const link = facts.links.find((other) => other.ifindex === entry.ifindex);
        if (!link) continue;
        // What the host does with the other end of a TAP is its own affair.
        if (entry.made === true) continue;
        const subject = `net interface ${entry.interface}: property device, value ${link.name}`;
        if (!tables.has(entry.table) && (await addDropRule(entry.table, link.name)) === undefined) {
          log.warn(`${subject}: somebody removed the nft table ${entry.table}; it is there again`);
        }
        this.warn(
          facts.addresses
            .filter(({ device }) => device === link.name)
            .map(
              ({ address }) =>
                `${subject}: somebody gave it the address ${address}, which the kernel will not hear on it; ` +
                `fix: ip address flush dev ${link.name}, and make it a self IP`,
            ),
        );
      }
    });
  }

  async #prepare(request: PrepareRequest): Promise<PrepareResult> {
    const { journal, log } = this.#options;
    const present = await readLink(request.device);
    if (request.addressOwner === 'host') {
      if (present) this.warn(hostDeviceWarnings(request, await this.#conditions(present)));
      return { ok: true };
    }
    if (request.tapMtu !== undefined) return this.#prepareTap(request, request.tapMtu, present);
    // A daemon that was started again asks for what it had, and traffic waits for the answer.
    const taken = journal.entries.find((entry) => entry.ifindex === present?.ifindex);
    if (taken !== undefined) {
      await this.#settleOffloads(taken, request);
      return { ok: true };
    }

    const facts = await readHostFacts();
    const link = facts.links.find((other) => other.name === request.device);

    const refused = refusal(facts, request) ?? (await takenElsewhere(request, link!));
    if (refused && !(refused.forcible && this.#options.force)) {
      this.#once('error', nameOf(request, refused.message));
      return { ok: false, reason: refused.message };
    }
    if (refused) log.warn(`${nameOf(request, refused.message)}: forced`);
    this.warn(takeoverWarnings(facts.links, request, await this.#conditions(link!)));
    await this.#forgetDeleted(facts);
    const entry = await recordDevice(request.interface, link!);
    journal.put(entry);
    try {
      const noRule = await takeOver(entry);
      if (noRule !== undefined) {
        this.warn([
          `net interface ${request.interface}: no nft rule on ${request.device} (${noRule}), so the kernel reads its frames too; fix: apt-get install nftables, and a kernel with CONFIG_NETFILTER_INGRESS`,
        ]);
      }
    } catch (error) {
      await this.#giveBack(entry, new Map([[entry.ifindex, entry.device]]));
      throw error;
    }
    log.info('device taken over', { interface: request.interface, device: request.device });
    await this.#settleOffloads(entry, request);
    return { ok: true };
  }

  /** Switches offloads of a device as it is wished, or back to what they were; this first, for it may be the same ones. */
  async #settleOffloads({ ifindex }: JournalEntry, request: PrepareRequest): Promise<void> {
    const { journal, log } = this.#options;
    const entryOf = (): JournalEntry => journal.entries.find((other) => other.ifindex === ifindex)!;
    const isUndoing = ({ journal: place }: OffloadKind): boolean => entryOf()[place] !== undefined;
    for (const kind of [...OFFLOAD_KINDS].sort((a, b) => Number(isUndoing(b)) - Number(isUndoing(a)))) {
      const entry = entryOf();
      const { [kind.wish]: wish = 'keep' } = request;
      const switched = entry[kind.journal];
      const isSwitched = switched !== undefined;
      if (isSwitched === (wish === kind.value)) continue;
      const { device } = entry;
      try {
        if (!isSwitched) checkKernel(kind);
        const names = switched ?? (await readOffloads(device, kind.names, otherState(kind.state)));
        // What is to be undone is on the disk before it is done.
        if (!isSwitched) journal.put({ ...entry, [kind.journal]: names });
        await setOffloads(device, names, isSwitched ? otherState(kind.state) : kind.state);
        if (isSwitched) journal.put({ ...entry, [kind.journal]: undefined });
        const subject = { interface: entry.interface, device };
        log.info(`${kind.property.replace('-', ' ')} ${isSwitched ? 'as they were' : kind.value}`, subject);
      } catch (error) {
        this.warn([
          `net interface ${entry.interface}: property ${kind.property}, value ${wish}: ${device}: ${errorText(error)}`,
        ]);
      }
    }
  }

  /** Makes a TAP or TUN device; one that is there is left as it is, and told apart from other devices when it is opened. */
  async #prepareTap(request: PrepareRequest, mtu: number, present: LinkFact | undefined): Promise<PrepareResult> {
    const { journal, log } = this.#options;
    if (present) return { ok: true };
    const names = await readDeviceNames();
    for (const entry of this.devices.filter((other) => !names.has(other.ifindex))) await this.#giveBack(entry, names);
    const entry = tapEntry(request.interface, request.device, request.tapKind);
    journal.put(entry);
    try {
      await makeTap(request.device, mtu, request.tapKind);
      const link = await readLink(request.device);
      if (!link) throw new Error('it has gone again');
      journal.put({ ...entry, ifindex: link.ifindex });
    } finally {
      journal.remove(0);
    }
    log.info('device made', { interface: request.interface, device: request.device, mtu });
    return { ok: true };
  }

  #conditions(link: LinkFact): ReturnType<typeof readDeviceConditions> {
    return readDeviceConditions(link, this.#tunnelPorts);
  }

  /** Drops entries of devices that were deleted, with the nft tables that are left of them. */
  async #forgetDeleted(facts: HostFacts): Promise<void> {
    const names = new Map(facts.links.map((link) => [link.ifindex, link.name]));
    for (const entry of this.devices.filter((other) => !names.has(other.ifindex))) await this.#giveBack(entry, names);
  }

  async #giveBack(entry: JournalEntry, names: ReadonlyMap<number, string>): Promise<boolean> {
    const { journal, log } = this.#options;
    const device = names.get(entry.ifindex);
    const problems = await undo(entry, device, journal);
    journal.remove(entry.ifindex);
    for (const problem of problems) {
      log.error(`device ${entry.device} is not quite as it was: ${problem}`, { interface: entry.interface });
    }
    if (problems.length === 0) {
      log.info(device === undefined ? 'device has gone' : 'device given back', {
        interface: entry.interface,
        device: device ?? entry.device,
      });
    }
    return problems.length === 0;
  }

  /** Writes each warning that was not given before. */
  warn(warnings: readonly string[]): void {
    for (const warning of warnings) this.#once('warn', warning);
  }

  #once(level: 'warn' | 'error', message: string): void {
    if (this.#said.has(message)) return;
    this.#said.add(message);
    this.#options.log[level](message);
  }

  #inTurn<Result>(action: () => Promise<Result>): Promise<Result> {
    const result = this.#last.then(action);
    this.#last = result.catch(() => undefined);
    return result;
  }
}

function undo(entry: JournalEntry, device: string | undefined, journal: DeviceJournal): Promise<string[]> {
  if (entry.hostPath !== undefined) return removeHostPath(entry, device, journal);
  return entry.made === true ? deleteTap(entry, device) : giveBack(entry, device, journal.directory);
}

const nameOf = (request: PrepareRequest, message: string): string => `net interface ${request.interface}: ${message}`;

/** Another supervisor, with a state directory of its own, may have the device. */
async function takenElsewhere(
  request: PrepareRequest,
  link: LinkFact,
): Promise<{ message: string; forcible: boolean } | undefined> {
  const table = tableName(link);
  if (!(await readDropTables()).has(table)) return undefined;
  return {
    message: `property device, value ${request.device}: another "wideplane up" has it; stop that one (if there is none: nft delete table netdev ${table})`,
    forcible: true,
  };
}
