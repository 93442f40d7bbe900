// How a machine stands to its group, in the words of a BIG-IP: what `show cm sync-status` and the prompt say.

import { decide, relate, type Revision } from './sync-rules.ts';

export type SyncMember = {
  /** Full path of the `gtm server`. */
  readonly server: string;
  readonly isConnected: boolean;
  /** Why not. */
  readonly reason: string;
  /** Undefined: it has not said that it is of the group. */
  readonly revision: Revision | undefined;
  /** Milliseconds by which its clock is ahead, where that is more than may be. */
  readonly skewMs: number | undefined;
};

export type SyncFacts = {
  readonly isOn: boolean;
  readonly group: string;
  /** Undefined: it is not known yet what runs. */
  readonly own: Revision | undefined;
  /** All but this machine. */
  readonly members: readonly SyncMember[];
  /** From whom the configuration is being taken. */
  readonly taking: string | undefined;
  /** Why the last attempt failed, if nothing has been taken since. */
  readonly failure: string | undefined;
  /** What the last conflict came to. */
  readonly conflict: string | undefined;
};

export type SyncView = {
  readonly color: 'green' | 'yellow' | 'red' | 'blue';
  readonly mode: 'standalone' | 'high-availability';
  readonly status: string;
  readonly summary: string;
  readonly details: readonly string[];
};

export function viewSync(facts: SyncFacts): SyncView {
  const { isOn, own, members, taking, failure, group } = facts;
  if (!isOn || members.length === 0) {
    const action = isOn
      ? 'Optional action: Add a device to the trust domain'
      : 'Optional action: modify gtm global-settings general synchronization yes';
    return { color: 'green', mode: 'standalone', status: 'Standalone', summary: '', details: [action] };
  }
  const details = detailsOf(facts);
  const is = (color: SyncView['color'], status: string, summary: string): SyncView => ({
    ...{ color, mode: 'high-availability', status, summary, details },
  });
  if (failure !== undefined) return is('red', 'Sync Failed', `A configuration of group ${group} could not be taken`);
  if (taking !== undefined || own === undefined) return is('blue', 'Syncing', 'The configuration is being taken');
  const connected = members.filter(({ isConnected }) => isConnected);
  if (connected.length === 0) return is('red', 'Disconnected', 'No other device of the group is connected');
  const sharing = connected.flatMap(({ revision }) => revision ?? []);
  if (sharing.some((revision) => decide(own, revision) === 'undecided')) {
    return is('blue', 'Awaiting Initial Sync', 'The device group is awaiting the initial config sync');
  }
  if (sharing.some((revision) => relate(own, revision) !== 'same')) {
    return is(
      'yellow',
      'Changes Pending',
      'There is a possible change conflict or a change that is not everywhere yet',
    );
  }
  if (sharing.length < members.length) {
    return is('yellow', 'Not All Devices Synced', `${sharing.length + 1} of ${members.length + 1} devices are in sync`);
  }
  return is('green', 'In Sync', 'All devices in the device group are in sync');
}

function detailsOf({ own, members, taking, failure, conflict, group }: SyncFacts): string[] {
  const lines = members.map((member) => `${member.server}: ${stateOf(member, own)}`);
  if (taking !== undefined) lines.push(`The configuration of ${taking} is being taken`);
  if (failure !== undefined) lines.push(failure);
  const off = members.filter(({ skewMs }) => skewMs !== undefined);
  if (off.length > 0)
    lines.push('Recommended action: Have NTP set the clocks, or set synchronization-time-tolerance 0');
  const isUndecided = members.some(
    ({ isConnected, revision }) => isConnected && own && revision && decide(own, revision) === 'undecided',
  );
  if (isUndecided) {
    lines.push(
      `Recommended action: On the device whose configuration is to count, run cm config-sync to-group ${group}`,
    );
  }
  if (conflict !== undefined) lines.push(conflict);
  return lines;
}

function stateOf({ isConnected, reason, revision, skewMs }: SyncMember, own: Revision | undefined): string {
  if (!isConnected) return `Disconnected: ${reason}`;
  if (skewMs !== undefined) {
    const seconds = (Math.abs(skewMs) / 1000).toFixed(1);
    return `its clock is ${seconds} s ${skewMs > 0 ? 'ahead' : 'behind'}: nothing is taken from it`;
  }
  if (revision === undefined || own === undefined) return 'connected, and has no configuration of the group';
  switch (decide(own, revision)) {
    case 'same':
      return 'In Sync';
    case 'take':
      return `has a newer configuration, changed by ${revision.changedBy}`;
    case 'wait':
      return 'has an older configuration';
    case 'yield':
    case 'stand':
      return `has changes that this device has not, made by ${revision.changedBy}`;
    case 'undecided':
      return 'has another configuration, and has never been in sync with this device';
  }
}
