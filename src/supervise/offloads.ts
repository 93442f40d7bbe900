// The offloads of a device that are switched off while wideplane has it, by ethtool(8).

import type { ParamsOf } from '../ipc/schema.ts';
import { UNFINISHED_OFFLOADS } from '../port/joining.ts';
import { NO_SUCH_PROGRAM, runCommand } from './command.ts';

type OffloadKind = {
  /** The property of `net interface` that asks for it. */
  property: string;
  wish: Extract<keyof ParamsOf<'prepare-device'>, `${string}Offloads`>;
  /** Where the journal keeps those that were switched off. */
  journal: 'offloads' | 'receiveOffloads';
  /** Ethtool's names. */
  names: ReadonlySet<string>;
};

export const OFFLOAD_KINDS: readonly OffloadKind[] = [
  {
    property: 'transmit-offloads',
    wish: 'transmitOffloads',
    journal: 'offloads',
    // What leaves a device where they are off is finished by the kernel.
    names: UNFINISHED_OFFLOADS,
  },
  {
    property: 'receive-offloads',
    wish: 'receiveOffloads',
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
];

/** Those of `names` that are on and can be switched. Throws where it cannot be found out. */
export async function readOffloads(device: string, names: ReadonlySet<string>): Promise<string[]> {
  const { status, stdout, stderr } = await runCommand('ethtool', ['-k', device]);
  if (status === NO_SUCH_PROGRAM) throw new Error('there is no ethtool; fix: apt-get install ethtool');
  if (status !== 0) throw new Error(stderr);
  const lines = stdout.toString().matchAll(/^\s*(\S+): on$/gm);
  return Array.from(lines, (match) => match[1]!).filter((name) => names.has(name));
}

/** Switches all of them at once, because segmentation depends on checksums. Throws when the device does not do it. */
export async function setOffloads(device: string, names: readonly string[], state: 'on' | 'off'): Promise<void> {
  if (names.length === 0) return;
  const { status, stderr } = await runCommand('ethtool', ['-K', device, ...names.flatMap((name) => [name, state])]);
  if (status !== 0) throw new Error(stderr);
}
