// Network namespaces and what is plugged into them. Tests run where /run/netns and /run/wideplane are private and
// vanish with the processes (scripts/lib/isolate.sh), so nothing here is undone unless a test wants it to be.

import { mkdtempSync, chmodSync } from 'node:fs';
import { runCommand } from '../../../src/net/helper-program.ts';
import { Host } from './host.ts';
import { attempt, Program, run, statusError, type Outcome, type ProgramOptions } from './program.ts';

const PRIVATE = '/run/wideplane';
const NAMESPACES = '/run/netns';

/** A new directory for sockets, state and captures; readable by the account that daemons drop to. */
export function makeDirectory(label: string): string {
  const path = mkdtempSync(`${PRIVATE}/${label}-`);
  chmodSync(path, 0o755);
  return path;
}

let serial = 0;

/** For programs that end at once and are started by the hundred: as wideplane itself starts its own. */
async function runBriefly(program: string, args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await runCommand(program, args);
  if (status !== 0) throw statusError([program, ...args], { status, stdout: stdout.toString(), stderr });
  return stdout.toString();
}

export class Namespace extends Host {
  /** As `ip netns` knows it: the label, made unique. */
  override readonly name: string;

  private constructor(name: string) {
    super();
    this.name = name;
  }

  static async create(label: string): Promise<Namespace> {
    const namespace = new Namespace(`${label}-${process.pid}-${++serial}`);
    await run(['ip', 'netns', 'add', namespace.name]);
    // Duplicate address detection makes an IPv6 address unusable for seconds; nothing here can have a duplicate.
    await namespace.sysctl({ 'net.ipv6.conf.all.accept_dad': '0', 'net.ipv6.conf.default.accept_dad': '0' });
    await namespace.ip('link', 'set', 'lo', 'up');
    return namespace;
  }

  get path(): string {
    return `${NAMESPACES}/${this.name}`;
  }

  /** The argument vector that runs a program inside; the program replaces `ip`, so the process id is its own. */
  command(argv: readonly string[]): string[] {
    return ['ip', 'netns', 'exec', this.name, ...argv];
  }

  override attempt(argv: readonly string[], options?: ProgramOptions): Promise<Outcome> {
    return attempt(this.command(argv), options);
  }

  start(argv: readonly string[], options?: { env?: Record<string, string> }): Program {
    return new Program(this.command(argv), options);
  }

  override ip(...args: string[]): Promise<string> {
    return runBriefly('ip', ['-n', this.name, ...args]);
  }

  override bridge(...args: string[]): Promise<string> {
    return runBriefly('bridge', ['-n', this.name, ...args]);
  }

  delete(): Promise<string> {
    return run(['ip', 'netns', 'delete', this.name]);
  }
}

export type PlugOptions = { offloads?: boolean; mtu?: number };

/** Joins two namespaces by a veth pair, both ends up. */
export async function connect(
  [left, leftDevice]: readonly [Namespace, string],
  [right, rightDevice]: readonly [Namespace, string],
  { offloads = false, mtu = 1500 }: PlugOptions = {},
): Promise<void> {
  const peer = ['type', 'veth', 'peer', 'name', rightDevice, 'netns', right.name];
  await run(['ip', 'link', 'add', leftDevice, 'netns', left.name, ...peer]);
  for (const [namespace, device] of [
    [left, leftDevice],
    [right, rightDevice],
  ] as const) {
    await namespace.setOffloads(device, offloads);
    await namespace.ip('link', 'set', device, 'mtu', String(mtu), 'up');
  }
}
