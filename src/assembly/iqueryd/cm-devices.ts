// The devices of a group for `show cm device`: this one, and those that are dialled.

import type { CmDevice } from '../../ipc/sync-schema.ts';
import type { PeerServer } from '../../iquery/mesh-feature.ts';
import type { SyncMember } from '../../iquery/sync-status.ts';

export type DevicesOptions = {
  readonly hostname: string;
  readonly version: string;
  /** This machine too. */
  readonly peers: readonly PeerServer[];
  readonly members: readonly SyncMember[];
  readonly status: string;
  /** What the server says of itself, by `gtm server`. */
  readonly said: ReadonlyMap<string, { readonly name: string; readonly version: string }>;
};

export function devicesOf({ hostname, version, peers, members, status, said }: DevicesOptions): CmDevice[] {
  const own = peers.find(({ isThisMachine }) => isThisMachine);
  const self: CmDevice = {
    name: own?.device ?? hostname,
    isSelf: true,
    configsyncIp: own?.address ?? 'none',
    version,
    hostname,
    failoverState: 'active',
    state: status,
  };
  const others = members.flatMap(({ server, isConnected, revision, skewMs, reason }): CmDevice[] => {
    const peer = peers.find((each) => each.server === server);
    if (peer === undefined) return [];
    const { name = peer.device, version: itsVersion = '' } = said.get(server) ?? {};
    const isSharing = revision !== undefined && skewMs === undefined;
    const state = isConnected ? (isSharing ? 'connected' : 'connected, not synchronised') : `disconnected: ${reason}`;
    return [
      {
        ...{ name: peer.device, isSelf: false, configsyncIp: peer.address, version: itsVersion, hostname: name, state },
        failoverState: isConnected ? 'active' : 'unknown',
      },
    ];
  });
  return [self, ...others];
}
