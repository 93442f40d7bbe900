// `net self`: an IP address of this machine on a VLAN, VLAN group or tunnel.

import { formatAddress, formatPrefix, isLimitedBroadcast, isMulticast, isUnspecified } from '../../core/address.ts';
import { type IpPrefix, networkOf, parsePrefix } from '../../core/address.ts';
import { integer, patternList, prefix, reference, string, toggle } from '../kinds.ts';
import { checkUnprotected } from '../check-unprotected.ts';
import { parseService } from '../../wire/service-names.ts';
import { type CheckContext, objectType, type ObjectOf } from '../object-type.ts';
import { checkRouteDomain, findRouteDomain, routeDomainOf } from '../route-domain.ts';
import { netTunnelsTunnel } from './net-tunnels-tunnel.ts';
import { netVlanGroup } from './net-vlan-group.ts';
import { netVlan } from './net-vlan.ts';

/** What somebody wrote who meant an address, as in 10.1.1./24. */
const LOOKS_LIKE_PREFIX = /^[0-9a-fA-F.:]*[.:][0-9a-fA-F.:]*(?:%[0-9]+)?\/[0-9]+$/;

export const netSelf = objectType({
  path: 'net self',
  label: 'Self IP',
  readBy: ['healthd', 'iqueryd'],
  help: 'An IP address of this machine on a VLAN, VLAN group or tunnel.',
  example: `
net vlan wan {
    tag 4094
}
net self wan-self {
    address 192.0.2.1/24
    allow-service {
        tcp:22
    }
    vlan wan
}
`,
  naming: 'full-path',
  sync: 'local',
  properties: {
    address: prefix({
      required: true,
      immutable: true,
      help: 'The address with the length of its subnet; when it is left out, the name.',
      onChange: 'rebuild',
    }),
    'address-source': string({ help: 'Where the address comes from (from-user).', inert: true }),
    'allow-service': patternList(
      {
        name: 'service',
        expects: 'default, or a protocol with a port, as in tcp:443',
        read: (word) =>
          word === 'default' || parseService(word) !== undefined
            ? { value: word }
            : { problem: 'must be all, none, default, or a protocol with a port, as in tcp:443' },
      },
      {
        default: [],
        wholes: ['all', 'default'],
        help: 'What the address accepts besides ping and tunnels (port lockdown); tcp:0: every port. Answers to what this host began come in always.',
      },
    ),
    description: string({ help: 'Text for people.' }),
    floating: toggle({ default: false, help: 'Whether the address moves with its traffic group.', inert: true }),
    'traffic-group': string({
      default: '/Common/traffic-group-local-only',
      help: 'The traffic group that the address belongs to.',
      inert: true,
    }),
    unit: integer({ min: 0, max: 15 }, { default: 0, help: 'Unit of an active-active pair.', inert: true }),
    vlan: reference([netVlan, netVlanGroup, netTunnelsTunnel], {
      required: true,
      help: 'The VLAN, VLAN group or tunnel that the address is on.',
    }),
  },
  assign(name, own) {
    if (own.address !== undefined) return;
    const address = parsePrefix(name.slice(name.indexOf('/', 1) + 1));
    if (address !== undefined) own.address = formatPrefix(address);
  },
  check(objects, context) {
    checkUnprotected(context.all(netTunnelsTunnel), objects, context);
    const byAddress = new Map<string, string>();
    const bySubnet = new Map<string, { name: string; vlan: string }>();
    for (const object of objects) {
      const { address: text, vlan } = object.properties;
      const parsed = parsePrefix(text)!;
      const address = formatAddress(parsed.address);
      checkRouteDomain(object, 'address', parsed.address, context);
      checkPlace(object, parsed, context);
      if (isUnspecified(parsed.address) || isMulticast(parsed.address) || isLimitedBroadcast(parsed.address)) {
        const hint = 'Name an address that one host can have.';
        context.error(object, `Self IP (${object.name}): ${text} is no address of a host.`, {
          property: 'address',
          value: text,
          hint,
        });
        continue;
      }
      const twin = byAddress.get(address);
      if (twin !== undefined) {
        const hint = 'Choose another address, or delete the other self IP.';
        context.error(object, `Self IP (${object.name}): the address ${address} belongs to self IP (${twin}).`, {
          property: 'address',
          value: text,
          hint,
        });
        continue;
      }
      byAddress.set(address, object.name);
      const subnet = formatPrefix({ address: networkOf(parsed), length: parsed.length });
      const other = bySubnet.get(subnet);
      if (other !== undefined && other.vlan !== vlan) {
        context.error(
          object,
          `Self IP (${object.name}): the subnet ${subnet} is on ${other.vlan} already, by self IP (${other.name}); it cannot be on ${vlan} too.`,
          {
            property: 'vlan',
            value: vlan,
            hint: 'A subnet lives on one VLAN of a route domain: use that one, or another subnet.',
          },
        );
      } else {
        bySubnet.set(subnet, { name: object.name, vlan });
      }
    }
  },
});

export type Self = ObjectOf<typeof netSelf>;

/** The route domain of the address is that of its VLAN; a name that looks like another address is only a name. */
function checkPlace(self: Self, { address }: IpPrefix, context: CheckContext): void {
  const { vlan, address: text } = self.properties;
  const place = routeDomainOf(vlan, context);
  const own = findRouteDomain(address.routeDomain, context);
  if (own !== undefined && own.properties.id !== place.id) {
    const what = `must be one of the vlans in the associated route domain (${own.name}).`;
    context.error(self, `The vlan (${vlan}) for the specified self IP (${self.name}) ${what}`, {
      property: 'vlan',
      value: vlan,
      hint: `The VLAN is in Route Domain (${place.name}): write the address as ${formatPrefix(inDomain(text, place.id))}.`,
    });
  }
  const name = self.name.slice(self.name.indexOf('/', 1) + 1);
  if (!LOOKS_LIKE_PREFIX.test(name) || parsePrefix(name) !== undefined) return;
  context.warn(
    self,
    `Self IP (${self.name}): ${name} is no address with a length, but only a name; the address is ${text}.`,
    {
      property: 'address',
      value: name,
      hint: `To be sure, name it after its address: ${text}`,
    },
  );
}

function inDomain(text: string, routeDomain: number): IpPrefix {
  const { address, length } = parsePrefix(text)!;
  return { address: { ...address, routeDomain }, length };
}
