// Who is dialled, by the configuration: every address of every enabled BIG-IP, this machine too.

import type { AnyConfigObject } from '../../config/object-type.ts';
import type { Properties } from '../../config/value.ts';
import { formatBareAddress, parseAddress } from '../../core/address.ts';
import type { PeerServer } from '../../iquery/mesh-feature.ts';
import { recordsIn, textOf } from '../healthd/describe-watches.ts';

export type DescribedPeers = {
  readonly peers: readonly PeerServer[];
  readonly ownServers: ReadonlySet<string>;
};

/**
 * `own`: addresses of this machine, canonical. A server is dialled by its addresses, not by their translations: those are what the device
 * itself has behind a translation of addresses, and so they too say whether it is this machine.
 */
export function describePeers(servers: readonly AnyConfigObject[], own: ReadonlySet<string>): DescribedPeers {
  const peers: PeerServer[] = [];
  const ownServers = new Set<string>();
  for (const { name, properties } of servers) {
    const addresses = addressesOf(name, properties);
    const isThisMachine = addresses.some(({ address, translation }) => own.has(address) || own.has(translation));
    if (isThisMachine) ownServers.add(name);
    if (properties.product !== 'bigip' || properties.enabled === false) continue;
    const datacenter = textOf(properties.datacenter);
    const known = new Set<string>();
    for (const { device, address } of addresses) {
      if (known.has(address)) continue;
      known.add(address);
      peers.push({ server: name, datacenter, device, address, isThisMachine });
    }
  }
  return { peers, ownServers };
}

/** Addresses of self IPs in the host's own route domain, canonical. */
export function selfAddresses(selfs: readonly AnyConfigObject[]): Set<string> {
  return new Set(selfs.flatMap(({ properties }) => bare(textOf(properties.address).split('/')[0]!)));
}

type ServerAddress = { readonly device: string; readonly address: string; readonly translation: string };

function addressesOf(server: string, { addresses, devices }: Properties): ServerAddress[] {
  const plain = Object.entries(recordsIn(addresses)).map(
    ([address, record]) => [textOf(record['device-name']) || server, address, record] as const,
  );
  const ofDevices = Object.entries(recordsIn(devices)).flatMap(([device, record]) =>
    Object.entries(recordsIn(record.addresses)).map(([address, inner]) => [device, address, inner] as const),
  );
  return [...plain, ...ofDevices].flatMap(([device, text, { translation }]) => {
    const [address] = bare(text);
    if (address === undefined) return [];
    return [{ device, address, translation: bare(textOf(translation))[0] ?? '' }];
  });
}

/** Canonical, where it is an address in route domain 0. */
function bare(text: string): string[] {
  const address = parseAddress(text);
  return address?.routeDomain === 0 ? [formatBareAddress(address)] : [];
}
