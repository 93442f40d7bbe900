// `net arp`: a static entry of the table of IPv4 neighbours.

import { address, mac, string } from '../kinds.ts';
import { assignAddress, checkEntries } from '../neighbour-entries.ts';
import { objectType } from '../object-type.ts';

export const netArp = objectType({
  path: 'net arp',
  label: 'ARP entry',
  help: 'A static entry of the ARP table.',
  example: `
net arp 192.0.2.7 {
    ip-address 192.0.2.7
    mac-address 02:00:5e:10:00:07
}
`,
  naming: 'full-path',
  sync: 'device-group',
  properties: {
    description: string({ help: 'Text for people.' }),
    'ip-address': address({
      required: true,
      immutable: true,
      help: 'The IPv4 address; when it is left out, the name.',
    }),
    'mac-address': mac({ required: true, help: 'The MAC address that the IP address lives at.' }),
  },
  assign: assignAddress,
  check(objects, context) {
    checkEntries('ARP entry', 4, 'IPv6 neighbours are no ARP entries: create net ndp', objects, context);
  },
});
