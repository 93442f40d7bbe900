// Taking a device from the kernel, and giving it back exactly as it was.
//
// Done with ip(8) and nft(8): this happens a few times in the life of a process, both are on every Debian, and
// `ip address save` dumps addresses exactly (docs/decisions/device-care.md). Kernel state that is changed: an nft ingress
// rule, IPv4 addresses and the routes that go with them, disable_ipv6, the link flag, offloads where that is wished.

import { readFile, writeFile } from 'node:fs/promises';
import { NO_SUCH_PROGRAM, runCommand, runCommandOnFile, type CommandResult } from '../net/helper-program.ts';
import type { JournalEntry } from './device-journal.ts';
import type { LinkFact } from './host-facts.ts';
import { errorText } from '../core/errors.ts';
import { setOffloads } from './offloads.ts';
import { orEmpty, withoutKernelRoutes } from './route-dump.ts';

const disableIpv6File = (device: string): string => `/proc/sys/net/ipv6/conf/${device}/disable_ipv6`;

/** Before all other ingress hooks: frames that wideplane reads are none of their business. */
const NFT_PRIORITY = -500;

/** The name of the nft table of a device: what nft allows of its name, made unique by its index. */
export const tableName = (link: LinkFact): string =>
  `wideplane_${link.name.replace(/[^A-Za-z0-9_]/g, '_')}_${link.ifindex}`;

/** What has to be undone on a device after `takeOver`. Throws when the kernel's state cannot be read. */
export async function recordDevice(interfaceName: string, link: LinkFact): Promise<JournalEntry> {
  const [addresses, routes4, routes6] = await Promise.all([
    expect(runCommand('ip', ['address', 'save', 'dev', link.name])),
    expect(runCommand('ip', ['-4', 'route', 'save', 'table', 'all', 'dev', link.name])),
    expect(runCommand('ip', ['-6', 'route', 'save', 'table', 'all', 'dev', link.name])),
  ]);
  const disableIpv6 = await readFile(disableIpv6File(link.name), 'utf8').catch(() => '1');
  return {
    interface: interfaceName,
    device: link.name,
    ifindex: link.ifindex,
    table: tableName(link),
    wasUp: link.up,
    disableIpv6: disableIpv6.trim() === '1' ? null : disableIpv6.trim(),
    addresses: orEmpty(addresses.stdout).toString('base64'),
    routes4: withoutKernelRoutes(routes4.stdout).toString('base64'),
    routes6: withoutKernelRoutes(routes6.stdout).toString('base64'),
  };
}

/**
 * Makes the kernel hold no address on the device and read no frame of it, and brings the link up. Throws at the first
 * step that fails. Resolves to why there is no nft rule, or undefined: without it the device works, but the kernel reads
 * its frames too.
 */
export async function takeOver(entry: JournalEntry): Promise<string | undefined> {
  const { device } = entry;
  const noRule = await addDropRule(entry.table, device);
  await expect(runCommand('ip', ['-4', 'address', 'flush', 'dev', device]));
  if (entry.disableIpv6 !== null) await writeFile(disableIpv6File(device), '1');
  await expect(runCommand('ip', ['link', 'set', 'dev', device, 'up']));
  return noRule;
}

/** Keeps the frames of a device from the kernel. Resolves to why that failed, or undefined. */
export async function addDropRule(table: string, device: string): Promise<string | undefined> {
  const ruleset = [
    `add table netdev ${table}`,
    `delete table netdev ${table}`,
    `table netdev ${table} {`,
    `  chain ingress { type filter hook ingress device "${device}" priority ${NFT_PRIORITY}; policy drop; }`,
    '}',
    '',
  ].join('\n');
  const result = await runCommand('nft', ['-f', '-'], ruleset);
  return result.status === 0 ? undefined : firstLine(result.stderr);
}

/** The names of the netdev tables of nft; empty when nft cannot be asked. */
export async function readDropTables(): Promise<Set<string>> {
  const { status, stdout } = await runCommand('nft', ['list', 'tables', 'netdev']);
  const names = status === 0 ? stdout.toString().matchAll(/^table netdev (\S+)$/gm) : [];
  return new Set(Array.from(names, (match) => match[1]!));
}

/**
 * Undoes `takeOver`, whatever part of it was done, on the device that now has the name `device`; undefined when it has
 * gone. Goes on after a failure; resolves to what could not be undone. `directory`: private, for files of a moment.
 */
export async function giveBack(entry: JournalEntry, device: string | undefined, directory: string): Promise<string[]> {
  const problems: string[] = [];
  const attempt = async (what: string, result: Promise<CommandResult>): Promise<void> => {
    const { status, stderr } = await result;
    if (status !== 0) problems.push(`${what}: ${firstLine(stderr)}`);
  };
  if (device !== undefined) {
    const { offloads = [], receiveOffloads = [], joiningOffloads = [] } = entry;
    const note = (error: unknown): void => void problems.push(`offloads: ${errorText(error)}`);
    await setOffloads(device, joiningOffloads, 'off').catch(note);
    await setOffloads(device, [...offloads, ...receiveOffloads], 'on').catch(note);
    if (!entry.wasUp) await attempt('link down', runCommand('ip', ['link', 'set', 'dev', device, 'down']));
    if (entry.disableIpv6 !== null) {
      await writeFile(disableIpv6File(device), entry.disableIpv6).catch((error: unknown) => {
        problems.push(`disable_ipv6: ${error instanceof Error ? error.message : String(error)}`);
      });
    }
    // ip restores what is missing; it complains about, and keeps, what the kernel has already made again by itself.
    const dumps = [
      { args: ['address', 'restore'], dump: entry.addresses },
      { args: ['-4', 'route', 'restore'], dump: entry.routes4 },
      { args: ['-6', 'route', 'restore'], dump: entry.routes6 },
    ];
    for (const { args, dump } of dumps.filter((other) => other.dump !== '')) {
      const result = await runCommandOnFile('ip', args, Buffer.from(dump, 'base64'), directory);
      if (!onlyExisted(result)) problems.push(`ip ${args.join(' ')}: ${firstLine(result.stderr)}`);
    }
  }
  // `add` first: the table may never have been made, or may have gone with the rest of a flushed rule set.
  const ruleset = `add table netdev ${entry.table}\ndelete table netdev ${entry.table}\n`;
  const result = await runCommand('nft', ['-f', '-'], ruleset);
  if (result.status !== 0 && result.status !== NO_SUCH_PROGRAM) problems.push(`nft rule: ${firstLine(result.stderr)}`);
  return problems;
}

const onlyExisted = ({ status, stderr }: CommandResult): boolean =>
  status === 0 || (stderr !== '' && stderr.split('\n').every((line) => /File exists|already assigned/.test(line)));

async function expect(running: Promise<CommandResult>): Promise<CommandResult> {
  const result = await running;
  if (result.status !== 0) throw new Error(firstLine(result.stderr));
  return result;
}

const firstLine = (text: string): string => text.split('\n')[0] ?? '';
