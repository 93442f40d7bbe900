// Keeps the devices of the host path: makes what is wanted, takes away what is not, and remembers what to undo.
//
// All that is wanted comes in one message, so that it is the same whether dataplaned has just started or a VLAN was added. Each
// device stands in the device journal, by whose entries it is taken away in the end (device-keeper.ts).

import { errorText } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { ResultOf } from '../ipc/schema.ts';
import { runCommand } from '../net/helper-program.ts';
import { addDropRule, tableName } from './device-takeover.ts';
import type { DeviceJournal, JournalEntry } from './device-journal.ts';
import { readDeviceNames, readLink } from './host-facts.ts';
import {
  applyHostPath,
  HostPlace,
  hostTable,
  makeHostDevice,
  removeHostRules,
  type HostPathRequest,
} from './host-path.ts';
import { deleteTap, tapEntry } from './tap-device.ts';

export type HostPathResult = ResultOf<'set-host-paths'>['paths'][number];

export class HostPathKeeper {
  readonly #journal: DeviceJournal;
  readonly #log: Log;
  /** What was applied last, by device: a daemon says all anew when one of them changes. */
  readonly #applied = new Map<string, string>();

  constructor(journal: DeviceJournal, log: Log) {
    this.#journal = journal;
    this.#log = log;
  }

  /** Brings the devices to what is wanted, one after the other. */
  async set(wanted: readonly HostPathRequest[]): Promise<HostPathResult[]> {
    const names = await readDeviceNames();
    for (const entry of this.#entries()) {
      const device = names.get(entry.ifindex);
      const request = wanted.find((path) => path.device === device);
      if (request?.routeDomain !== entry.hostPath!.routeDomain) await this.#remove(entry, device);
    }
    const results: HostPathResult[] = [];
    for (const request of wanted) results.push(await this.#apply(request));
    return results;
  }

  #entries(): JournalEntry[] {
    return this.#journal.entries.filter(({ hostPath }) => hostPath !== undefined);
  }

  async #apply(request: HostPathRequest): Promise<HostPathResult> {
    const { device } = request;
    try {
      const entry = await this.#obtain(request);
      const { namespace } = entry.hostPath!;
      const text = JSON.stringify(request);
      if (this.#applied.get(device) !== text) {
        await applyHostPath(request, new HostPlace(namespace ?? undefined), hostTable(entry.ifindex));
        this.#applied.set(device, text);
      }
      return namespace === null ? { device } : { device, namespace };
    } catch (error) {
      this.#applied.delete(device);
      return { device, failure: `${device}: ${errorText(error)}` };
    }
  }

  /** The entry of the device, which is made where there is none; one of the same name that is not ours is left alone. */
  async #obtain(request: HostPathRequest): Promise<JournalEntry> {
    const { device, routeDomain, object } = request;
    const present = await readLink(device);
    const known = this.#entries().find(({ ifindex }) => ifindex === present?.ifindex);
    if (known !== undefined) return known;
    if (present !== undefined) throw new Error('there is a device of this name, which is not ours');
    this.#applied.delete(device);
    const namespace = routeDomain === 0 ? null : await this.#namespaceFor(routeDomain);
    const entry: JournalEntry = { ...tapEntry(object, device), hostPath: { routeDomain, namespace } };
    this.#journal.put(entry);
    try {
      if (namespace !== null) await makeNamespace(namespace);
      await makeHostDevice(request, new HostPlace(namespace ?? undefined));
      const link = await readLink(device);
      if (link === undefined) throw new Error('it has gone again');
      const made = { ...entry, ifindex: link.ifindex, table: namespace === null ? '' : tableName(link) };
      this.#journal.put(made);
      if (namespace !== null) await this.#quieten(made);
      this.#log.info('device of the host path made', { object, device, ...(namespace === null ? {} : { namespace }) });
      return made;
    } finally {
      this.#journal.remove(0);
      if (namespace !== null) await dropNamespace(namespace, this.#journal);
    }
  }

  /** The end of a veth pair that dataplaned reads: the kernel shall hear nothing by it. */
  async #quieten({ device, table }: JournalEntry): Promise<void> {
    const file = `/proc/sys/net/ipv6/conf/${device}/disable_ipv6`;
    await runCommand('sh', ['-c', `[ ! -e ${file} ] || echo 1 > ${file}`]);
    const noRule = await addDropRule(table, device);
    if (noRule !== undefined)
      this.#log.warn(`no nft rule on ${device} (${noRule}), so the kernel reads its frames too`);
    const { status, stderr } = await runCommand('ip', ['link', 'set', 'dev', device, 'up']);
    if (status !== 0) throw new Error(stderr);
  }

  /** The namespace of a route domain: the one that we have made, or a new one under a name that nobody has. */
  async #namespaceFor(routeDomain: number): Promise<string> {
    const known = this.#entries().find(({ hostPath }) => hostPath?.routeDomain === routeDomain);
    if (known !== undefined) return known.hostPath!.namespace!;
    const base = `wideplane-rd${routeDomain}`;
    const taken = await readNamespaces();
    let name = base;
    for (let number = 2; taken.has(name); number++) name = `${base}-${number}`;
    return name;
  }

  async #remove(entry: JournalEntry, device: string | undefined): Promise<void> {
    this.#applied.delete(entry.device);
    const problems = await removeHostPath(entry, device, this.#journal);
    for (const problem of problems) this.#log.error(problem, { object: entry.interface });
    this.#log.info('device of the host path taken away', { object: entry.interface, device: entry.device });
  }
}

/** Takes the device away, with its rules, its entry and, with the last device in it, its namespace. Resolves to what failed. */
export async function removeHostPath(
  entry: JournalEntry,
  device: string | undefined,
  journal: DeviceJournal,
): Promise<string[]> {
  const { namespace } = entry.hostPath!;
  const place = new HostPlace(namespace ?? undefined);
  const problems = entry.ifindex === 0 ? [] : await removeHostRules(place, hostTable(entry.ifindex));
  if (namespace === null) {
    problems.push(...(await deleteTap(entry, device)));
    journal.remove(entry.ifindex);
    return problems;
  }
  if (entry.table !== '') {
    await runCommand('nft', ['-f', '-'], `add table netdev ${entry.table}\ndelete table netdev ${entry.table}\n`);
  }
  const { status, stderr } = await runCommand('ip', ['link', 'delete', 'dev', device ?? entry.device]);
  if (status !== 0 && device !== undefined) problems.push(`ip link delete ${device}: ${stderr}`);
  journal.remove(entry.ifindex);
  await dropNamespace(namespace, journal);
  return problems;
}

/** Names of the namespaces that there are. */
async function readNamespaces(): Promise<Set<string>> {
  const { stdout } = await runCommand('ip', ['-json', 'netns', 'list']);
  const shown = JSON.parse(stdout.toString() || '[]') as { name: string }[];
  return new Set(shown.map(({ name }) => name));
}

async function makeNamespace(name: string): Promise<void> {
  if ((await readNamespaces()).has(name)) return;
  const { status, stderr } = await runCommand('ip', ['netns', 'add', name]);
  if (status !== 0) throw new Error(`network namespace ${name}: ${stderr}`);
  await runCommand('ip', ['-n', name, 'link', 'set', 'dev', 'lo', 'up']);
}

/** Deletes a namespace in which no device of ours is any more. */
async function dropNamespace(name: string, journal: DeviceJournal): Promise<void> {
  if (journal.entries.some(({ hostPath }) => hostPath?.namespace === name)) return;
  await runCommand('ip', ['netns', 'delete', name]);
}
