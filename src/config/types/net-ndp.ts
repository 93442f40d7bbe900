// `net ndp`: a static entry of the table of IPv6 neighbours.

import { address, mac, string } from '../kinds.ts';
import { assignAddress, checkEntries } from '../neighbour-entries.ts';
import { objectType } from '../object-type.ts';

export const netNdp = objectType({
  path: 'net ndp',
  label: 'NDP entry',
  help: 'A static entry of the table of IPv6 neighbours.',
  example: `
net ndp 2001:db8::7 {
    ip-address 2001:db8::7
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
      help: 'The IPv6 address; when it is left out, the name.',
    }),
    'mac-address': mac({ required: true, help: 'The MAC address that the IP address lives at.' }),
  },
  assign: assignAddress,
  check(objects, context) {
    checkEntries('NDP entry', 6, 'IPv4 neighbours are ARP entries: create net arp', objects, context);
  },
});
