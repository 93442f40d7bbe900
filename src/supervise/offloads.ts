// The transmit offloads of a device, by ethtool(8): what leaves a device where they are off is finished by the kernel.

import { UNFINISHED_OFFLOADS } from '../port/joining.ts';
import { NO_SUCH_PROGRAM, runCommand } from './command.ts';

/** Those that are on and can be switched, by ethtool's names. Throws where it cannot be found out. */
export async function readTransmitOffloads(device: string): Promise<string[]> {
  const { status, stdout, stderr } = await runCommand('ethtool', ['-k', device]);
  if (status === NO_SUCH_PROGRAM) throw new Error('there is no ethtool; fix: apt-get install ethtool');
  if (status !== 0) throw new Error(stderr);
  const lines = stdout.toString().matchAll(/^\s*(\S+): on$/gm);
  return Array.from(lines, (match) => match[1]!).filter((name) => UNFINISHED_OFFLOADS.has(name));
}

/** Switches all of them at once, because segmentation depends on checksums. Throws when the device does not do it. */
export async function setOffloads(device: string, names: readonly string[], state: 'on' | 'off'): Promise<void> {
  if (names.length === 0) return;
  const { status, stderr } = await runCommand('ethtool', ['-K', device, ...names.flatMap((name) => [name, state])]);
  if (status !== 0) throw new Error(stderr);
}
