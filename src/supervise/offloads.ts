// The offloads of a device that are switched off or on while wideplane has it, by ethtool(8).

import { release } from 'node:os';
import type { ParamsOf } from '../ipc/schema.ts';
import { UNFINISHED_OFFLOADS } from '../port/joining.ts';
import { NO_SUCH_PROGRAM, runCommand } from '../net/helper-program.ts';

export type OffloadState = 'on' | 'off';

export type OffloadKind = {
  /** The property of `net interface` that asks for it. */
  property: string;
  wish: Extract<keyof ParamsOf<'prepare-device'>, `${string}Offloads`>;
  /** The value of it that does. */
  value: 'off' | 'join-datagrams';
  /** What they are switched to. */
  state: OffloadState;
  /** Where the journal keeps those that were switched. */
  journal: 'offloads' | 'receiveOffloads' | 'joiningOffloads';
  /** Ethtool's names. */
  names: ReadonlySet<string>;
};

export const OFFLOAD_KINDS: readonly OffloadKind[] = [
  {
    property: 'transmit-offloads',
    wish: 'transmitOffloads',
    value: 'off',
    state: 'off',
    journal: 'offloads',
    // What leaves a device where they are off is finished by the kernel.
    names: UNFINISHED_OFFLOADS,
  },
  {
    property: 'receive-offloads',
    wish: 'receiveOffloads',
    value: 'off',
    state: 'off',
    journal: 'receiveOffloads',
    // Each of them joins packets that came apart.
    names: new Set([
      'generic-receive-offload',
      'large-receive-offload',
      'rx-gro-hw',
      'rx-gro-list',
      'rx-udp-gro-forwarding',
    ]),
  },
  {
    property: 'receive-offloads',
    wish: 'receiveOffloads',
    value: 'join-datagrams',
    state: 'on',
    journal: 'joiningOffloads',
    names: new Set(['generic-receive-offload', 'rx-udp-gro-forwarding']),
  },
];

/** Since when a packet socket can tell of datagrams that came joined; before, they would be lost. */
const JOINED_DATAGRAMS_SINCE = [6, 2] as const;

/** Throws where the kernel cannot have the offloads of a kind. */
export function checkKernel({ state }: OffloadKind, version = release()): void {
  const [major = 0, minor = 0] = version.split('.').map(Number.parseFloat);
  const [sinceMajor, sinceMinor] = JOINED_DATAGRAMS_SINCE;
  if (state === 'off' || major > sinceMajor || (major === sinceMajor && minor >= sinceMinor)) return;
  throw new Error(`Linux ${version} loses datagrams that it has joined: 6.2 or later does not`);
}

export const otherState = (state: OffloadState): OffloadState => (state === 'on' ? 'off' : 'on');

/** Those of `names` that are in this state and can be switched. Throws where it cannot be found out. */
export async function readOffloads(
  device: string,
  names: ReadonlySet<string>,
  state: OffloadState = 'on',
): Promise<string[]> {
  const { status, stdout, stderr } = await runCommand('ethtool', ['-k', device]);
  if (status === NO_SUCH_PROGRAM) throw new Error('there is no ethtool; fix: apt-get install ethtool');
  if (status !== 0) throw new Error(stderr);
  const lines = stdout.toString().matchAll(/^\s*(\S+): (on|off)$/gm);
  return Array.from(lines)
    .filter(([, name, is]) => is === state && names.has(name!))
    .map(([, name]) => name!);
}

/** Switches all of them at once, because segmentation depends on checksums. Throws when the device does not do it. */
export async function setOffloads(device: string, names: readonly string[], state: OffloadState): Promise<void> {
  if (names.length === 0) return;
  const { status, stderr } = await runCommand('ethtool', ['-K', device, ...names.flatMap((name) => [name, state])]);
  if (status !== 0) throw new Error(stderr);
}
