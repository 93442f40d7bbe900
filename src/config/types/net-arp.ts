// `net arp`: a static entry of the ARP table.

import { formatAddress, parseAddress } from '../../core/address.ts';
import { isGroupMac, parseMac } from '../../core/mac.ts';
import { address, mac, string } from '../kinds.ts';
import { objectType } from '../object-type.ts';
import { checkRouteDomain } from '../route-domain.ts';

export const netArp = objectType({
  path: 'net arp',
  label: 'ARP entry',
  help: 'A static entry of the ARP table.',
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
  assign(name, own) {
    if (own['ip-address'] !== undefined) return;
    const parsed = parseAddress(name.slice(name.indexOf('/', 1) + 1));
    if (parsed !== undefined) own['ip-address'] = formatAddress(parsed);
  },
  check(objects, context) {
    const owners = new Map<string, string>();
    for (const object of objects) {
      const { 'ip-address': ip, 'mac-address': macText } = object.properties;
      const parsed = parseAddress(ip)!;
      checkRouteDomain(object, 'ip-address', parsed, context);
      if (parsed.family === 6) {
        const hint = 'IPv6 neighbours are no ARP entries.';
        context.error(object, `ARP entry (${object.name}): ${ip} is no IPv4 address.`, {
          property: 'ip-address',
          value: ip,
          hint,
        });
      }
      if (isGroupMac(parseMac(macText)!)) {
        const hint = 'Name the MAC address of one station.';
        context.error(object, `ARP entry (${object.name}): ${macText} is a group address.`, {
          property: 'mac-address',
          value: macText,
          hint,
        });
      }
      const twin = owners.get(ip);
      if (twin !== undefined) {
        const hint = `Modify that one: modify net arp ${twin} mac-address ${macText}`;
        context.error(object, `ARP entry (${object.name}): ${ip} has ARP entry (${twin}) already.`, {
          property: 'ip-address',
          value: ip,
          hint,
        });
      }
      owners.set(ip, object.name);
    }
  },
});
