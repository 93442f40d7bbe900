// `net fdb tunnel`: the static forwarding database of one tunnel. It comes and goes with the tunnel.

import { isMulticast, parseAddress, parseAddressOrAny } from '../../core/address.ts';
import type { IpAddress } from '../../core/address.ts';
import { BROADCAST_MAC, isGroupMac, parseMac } from '../../core/mac.ts';
import { checkTable } from '../check-table.ts';
import type { Refuse } from '../check-table.ts';
import { address, addressList, recordsByMac, string } from '../kinds.ts';
import { objectType } from '../object-type.ts';
import type { ObjectOf } from '../object-type.ts';
import { emptyTable } from '../record-table.ts';
import { remembered } from '../remembered.ts';
import { encapsulationOf, isLayer3 } from '../tunnel-keys.ts';
import { netTunnelsTunnel } from './net-tunnels-tunnel.ts';

export const netFdbTunnel = objectType({
  path: 'net fdb tunnel',
  label: 'Tunnel FDB',
  help: 'The static forwarding database of one tunnel: MAC addresses and the ends that they live behind.',
  example: `
net tunnels tunnel vx1 {
    key 100
    local-address 192.0.2.1
    profile vxlan-multipoint
    remote-address any
}
net fdb tunnel vx1 {
    records {
        02:00:5e:10:00:07 {
            endpoint 192.0.2.7
        }
        ff:ff:ff:ff:ff:ff {
            endpoints {
                192.0.2.7
                192.0.2.8
            }
        }
    }
}
`,
  naming: 'full-path',
  sync: 'device-group',
  companionOf: [netTunnelsTunnel],
  properties: {
    description: string({ help: 'Text for people.' }),
    records: recordsByMac(
      {
        description: string({ help: 'Text for people.' }),
        endpoint: address({ help: 'The other end that this MAC address lives behind.' }),
        endpoints: addressList({
          default: [],
          help: 'On ff:ff:ff:ff:ff:ff: the other ends that get a copy of what is flooded.',
        }),
        replicators: addressList({
          default: [],
          help: 'On ff:ff:ff:ff:ff:ff: the ends that replicate what is flooded, for flooding-type replicator.',
        }),
      },
      { default: emptyTable(), help: 'MAC addresses and where they live.' },
    ),
  },
  check(objects, context) {
    for (const object of objects) checkFdb(object, context);
  },
});

type TunnelFdb = ObjectOf<typeof netFdbTunnel>;

const checkFdb = remembered((object: TunnelFdb, context) => {
  const tunnel = context.find(netTunnelsTunnel, object.name);
  const local = tunnel && parseAddressOrAny(tunnel.properties['local-address']);
  const localText = tunnel?.properties['local-address'] ?? '';
  const encapsulation = tunnel && encapsulationOf(tunnel.properties.profile, context);
  if (encapsulation !== undefined && isLayer3(encapsulation) && object.properties.records.size > 0) {
    const text = `Tunnel FDB (${object.name}): the tunnel carries IP packets, not frames: no station lives behind it.`;
    context.error(object, text, { property: 'records', hint: 'Delete the records.' });
  }
  const report = (mac: string, property: string, value: string, text: string, hint: string): void =>
    context.error(object, `Tunnel FDB (${object.name}): record ${mac}: ${text}`, { property, value, hint });
  checkTable(object.properties.records, report, (mac, record, refuse) => {
    checkShape(mac, record, refuse);
    checkEnds(mac, record, local, localText, refuse);
  });
});

type FdbRecord = TunnelFdb['properties']['records']['contents'][number];

function checkEnds(
  mac: string,
  record: FdbRecord,
  local: IpAddress | undefined,
  localText: string,
  refuse: Refuse,
): void {
  const ends: [string, string][] = [
    ...record.endpoints.map((end): [string, string] => ['endpoints', end]),
    ...record.replicators.map((end): [string, string] => ['replicators', end]),
  ];
  if (record.endpoint !== undefined) ends.push(['endpoint', record.endpoint]);
  if (new Set(ends.map(([, end]) => end)).size < ends.length) {
    refuse('endpoints', mac, 'an end is named twice.', 'Name each end once.');
  }
  for (const [property, end] of ends) {
    const parsed = parseAddress(end)!;
    if (isMulticast(parsed)) refuse(property, end, `${end} is a group.`, 'Name the address of one tunnel end.');
    if (local === undefined) continue;
    const what =
      parsed.family !== local.family
        ? 'IP version'
        : parsed.routeDomain !== local.routeDomain
          ? 'route domain'
          : undefined;
    if (what === undefined) continue;
    const text = `${end} has another ${what} than the local-address ${localText} of the tunnel.`;
    refuse(property, end, text, `The ends of a tunnel share the ${what}.`);
  }
}

/** A unicast MAC has one endpoint, the broadcast MAC has endpoints or replicators. */
function checkShape(mac: string, record: FdbRecord, refuse: Refuse): void {
  if (mac === BROADCAST_MAC) {
    if (record.endpoint !== undefined) {
      refuse(
        'endpoint',
        record.endpoint,
        'takes endpoints, not endpoint.',
        `Write endpoints add { ${record.endpoint} }.`,
      );
    } else if (record.endpoints.length === 0 && record.replicators.length === 0) {
      refuse('endpoints', mac, 'has no endpoints.', 'Write endpoints add { ADDRESS … }.');
    } else if (record.endpoints.length > 0 && record.replicators.length > 0) {
      refuse('replicators', mac, 'has both endpoints and replicators.', 'Keep one of them.');
    }
    return;
  }
  if (isGroupMac(parseMac(mac)!)) {
    refuse('records', mac, 'is a group address.', `Only ${BROADCAST_MAC} may stand beside addresses of stations.`);
  }
  const many = record.endpoints[0] ?? record.replicators[0];
  if (many !== undefined) {
    refuse('endpoints', many, `has endpoints, which only ${BROADCAST_MAC} may have.`, `Write endpoint ${many}.`);
  } else if (record.endpoint === undefined) {
    refuse('endpoint', mac, 'has no endpoint.', 'Write endpoint ADDRESS.');
  }
}
