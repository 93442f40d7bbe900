// Making a TAP device for an interface with adapter tap, or a TUN device for one with adapter tun, and deleting it again.
//
// It is persistent, so that addresses and routes that the host gave it outlive a restart of dataplaned. Done with ip(8), as
// all that happens to devices here (device-takeover.ts).

import { runCommand } from '../net/helper-program.ts';
import type { JournalEntry } from './device-journal.ts';

export type TapKind = 'tap' | 'tun';

const label = (kind: TapKind): string => (kind === 'tun' ? 'TUN device' : 'TAP device');

/** What the journal says before the device is there. */
export const tapEntry = (interfaceName: string, device: string, kind: TapKind = 'tap'): JournalEntry => ({
  interface: interfaceName,
  device,
  ifindex: 0,
  made: true,
  kind,
  table: '',
  wasUp: false,
  disableIpv6: null,
  addresses: '',
  routes4: '',
  routes6: '',
});

/** Makes the device and brings it up; throws when that fails, and then there is none. */
export async function makeTap(device: string, mtu: number, kind: TapKind = 'tap'): Promise<void> {
  const made = await runCommand('ip', ['tuntap', 'add', 'dev', device, 'mode', kind, 'vnet_hdr']);
  if (made.status !== 0) throw new Error(`the ${label(kind)} cannot be made: ${made.stderr}`);
  const set = await runCommand('ip', ['link', 'set', 'dev', device, 'mtu', String(mtu), 'up']);
  if (set.status === 0) return;
  await runCommand('ip', ['link', 'delete', 'dev', device]);
  throw new Error(`the ${label(kind)} cannot be brought up: ${set.stderr}`);
}

/**
 * Deletes the device, which now has the name `device`; undefined when it has gone. Where the maker was killed before it
 * could note the index, the one of the noted name. Resolves to what could not be done.
 */
export async function deleteTap(entry: JournalEntry, device: string | undefined): Promise<string[]> {
  if (device === undefined && entry.ifindex !== 0) return [];
  // The first form deletes nothing but such devices, and nothing that is open.
  const argv =
    device === undefined
      ? ['tuntap', 'delete', 'dev', entry.device, 'mode', entry.kind ?? 'tap']
      : ['link', 'delete', 'dev', device];
  const { status, stderr } = await runCommand('ip', argv);
  return status === 0 ? [] : [`ip ${argv.join(' ')}: ${stderr}`];
}
