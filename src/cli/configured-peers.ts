// The machines of the mesh as the configuration has them: who is meant where no host is typed.

import { join, resolve } from 'node:path';
import { readSnapshot, SNAPSHOT_FILE } from '../assembly/config-snapshot.ts';
import type { GtmServer } from '../config/types/gtm-server.ts';
import type { Self } from '../config/types/net-self.ts';
import { hostAddresses } from '../net/host-addresses.ts';

/** Addresses of enabled servers of product bigip that are not this machine, one each, as iqueryd last had them; `state`: its directory. */
export async function configuredPeers(state: string): Promise<string[]> {
  const snapshot = await readSnapshot(join(resolve(state), 'iqueryd', SNAPSHOT_FILE));
  if (snapshot === undefined) {
    throw new Error('which peers there are is not known, since iqueryd has no configuration yet: type their hosts');
  }
  const own = hostAddresses();
  const hosts: string[] = [];
  for (const object of snapshot.objects.values()) {
    if (object.type === 'net self') own.add((object as unknown as Self).properties.address.replace(/\/.*$/, ''));
  }
  for (const object of snapshot.objects.values()) {
    if (object.type !== 'gtm server') continue;
    const { properties } = object as unknown as GtmServer;
    if (properties.product !== 'bigip' || !properties.enabled) continue;
    const devices = Object.values(properties.devices).flatMap(({ addresses }) => Object.keys(addresses));
    const addresses = [...Object.keys(properties.addresses), ...devices];
    if (!addresses.some((address) => own.has(address)) && addresses[0] !== undefined) hosts.push(addresses[0]);
  }
  return hosts;
}
