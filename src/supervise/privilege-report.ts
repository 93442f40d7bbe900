// What is missing in privileges, in words a user can act on.

import { capabilityLabel, grantable, hasCapability, type ProcessCapabilities } from './capability.ts';
import type { DaemonEntry } from './daemon-table.ts';

/** One sentence for each thing that will not work with what this process holds. */
export function missingPrivileges(
  held: ProcessCapabilities,
  daemons: readonly DaemonEntry[],
  isRoot: boolean,
): string[] {
  const remedy = isRoot
    ? 'grant it to the container or unit that starts wideplane'
    : 'start as root, or by the systemd unit';
  const missing: string[] = [];
  for (const daemon of daemons) {
    const granted = grantable(held, daemon.capabilities);
    const lacking = daemon.capabilities.filter(
      (name) => !granted.includes(name) && !daemon.rarelyNeeded.includes(name),
    );
    if (lacking.length > 0) {
      missing.push(`${daemon.name} lacks ${lacking.map(capabilityLabel).join(' and ')}: ${daemon.without}; ${remedy}`);
    }
  }
  if (!hasCapability(held.effective, 'net_admin')) {
    missing.push(`up lacks CAP_NET_ADMIN: devices with address-owner wideplane cannot be taken over; ${remedy}`);
  }
  if (isRoot && !hasCapability(held.effective, 'setpcap')) {
    missing.push(`up lacks CAP_SETPCAP: the daemons keep all that root has; ${remedy}`);
  }
  return missing;
}
