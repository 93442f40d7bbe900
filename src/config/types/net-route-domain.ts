// `net route-domain`: a routing table of its own for some VLANs and tunnels, whose addresses may be those of other domains.

import { MAX_ROUTE_DOMAIN, parseAddressOrAny } from '../../core/address.ts';
import { integer, patternList, reference, referenceList, string, toggle } from '../kinds.ts';
import { type AnyConfigObject, type CheckContext, objectType, type ObjectOf } from '../object-type.ts';
import { remembered } from '../remembered.ts';
import { carriesFrames, netInterface } from './net-interface.ts';
import { netTunnelsTunnel, type Tunnel } from './net-tunnels-tunnel.ts';
import { netVlanGroup } from './net-vlan-group.ts';
import { netVlan } from './net-vlan.ts';

const SELF = { path: 'net route-domain', label: 'Route Domain', naming: 'full-path' } as const;
/** Where every VLAN and tunnel is that no other route domain names. */
export const DEFAULT_ROUTE_DOMAIN = 0;
const DIGITS = /^(0|[1-9][0-9]{0,4})$/;
const PROTOCOLS = ['BFD', 'BGP', 'IS-IS', 'OSPFv2', 'OSPFv3', 'PIM', 'RIP', 'RIPng'];

export const netRouteDomain = objectType({
  ...SELF,
  help: 'VLANs and tunnels with a routing table of their own; addresses in it are written ADDRESS%ID.',
  example: `
net vlan blue {
    tag 200
}
net route-domain 5000 {
    id 5000
    parent 0
    vlans {
        blue
    }
}
net self blue-self {
    address 10.1.1.1%5000/24
    vlan blue
}
`,
  sync: 'device-group',
  builtIn: { '/Common/0': { id: DEFAULT_ROUTE_DOMAIN } },
  properties: {
    'bwc-policy': string({ help: 'Bandwidth control of the route domain.', inert: true }),
    'connection-limit': integer(
      { min: 0, max: 4294967295 },
      { default: 0, help: 'Connections at one time; 0: any number.', inert: true },
    ),
    description: string({ help: 'Text for people.' }),
    'flow-eviction-policy': string({ help: 'Which flows go when there are too many.', inert: true }),
    id: integer(
      { min: 0, max: MAX_ROUTE_DOMAIN },
      { required: true, immutable: true, help: 'The number behind % in addresses; when it is left out, the name.' },
    ),
    parent: reference([SELF], { help: 'The route domain that is asked for destinations without a route in this one.' }),
    'routing-protocol': patternList(
      {
        name: 'routing-protocol',
        expects: PROTOCOLS.join(', '),
        read: (word) =>
          PROTOCOLS.includes(word) ? { value: word } : { problem: `must be one of ${PROTOCOLS.join(', ')}` },
      },
      { default: [], help: 'Routing protocols that run in the route domain.', inert: true },
    ),
    'service-policy': string({ help: 'Service policy of the route domain.', inert: true }),
    strict: toggle({
      default: true,
      help: 'Whether no route leads from here into another route domain, or from there to here; the parent is asked all the same.',
    }),
    vlans: referenceList([netVlan, netVlanGroup, netTunnelsTunnel], {
      default: [],
      help: 'The VLANs, VLAN groups and tunnels of the route domain; what none names is in route domain 0.',
    }),
  },
  assign(name, own) {
    const last = name.slice(name.lastIndexOf('/') + 1);
    if (own.id === undefined && DIGITS.test(last) && Number(last) <= MAX_ROUTE_DOMAIN) own.id = Number(last);
  },
  check(objects, context) {
    const byId = new Map<number, string>();
    for (const object of objects) {
      const { id, vlans } = object.properties;
      const twin = byId.get(id);
      if (twin !== undefined) {
        context.error(object, `Route Domain (${object.name}): id ${id} belongs to Route Domain (${twin}).`, {
          property: 'id',
          value: String(id),
          hint: 'Choose another id.',
        });
      }
      byId.set(id, object.name);
      checkParent(object, context);
      for (const vlan of vlans) checkPlace(object, vlan, context);
    }
    checkTunnels(byId, context);
    checkOwners(objects, context);
    checkGroups(objects, context);
  },
});

export type RouteDomain = ObjectOf<typeof netRouteDomain>;

const routeDomainOfLocal = remembered(
  ({ properties }: Tunnel) => parseAddressOrAny(properties['local-address'])?.routeDomain,
);

/** Tunnels start in a route domain that there is; the definition of tunnels cannot know of this one. */
function checkTunnels(byId: ReadonlyMap<number, string>, context: CheckContext): void {
  for (const tunnel of context.all(netTunnelsTunnel)) {
    const id = routeDomainOfLocal(tunnel, context);
    if (id === undefined || byId.has(id)) continue;
    refuseRouteDomain(tunnel, 'local-address', id, context);
  }
}

/** Refuses an address because its route domain is not there, or the deletion of the route domain because of the address. */
export function refuseRouteDomain(object: AnyConfigObject, property: string, id: number, context: CheckContext): void {
  const gone = context.gone(netRouteDomain).find((domain) => domain.properties.id === id);
  if (gone !== undefined) {
    context.inUse(gone, object, property);
    return;
  }
  context.error(object, `The requested Route Domain (${id}) was not found.`, {
    property,
    value: `%${id}`,
    hint: `Create it first: create net route-domain ${id} { id ${id} }`,
    code: 'notFound',
  });
}

/** Each VLAN, VLAN group and tunnel is in one route domain. */
function checkOwners(objects: readonly RouteDomain[], context: CheckContext): void {
  const owners = new Map<string, string>();
  for (const object of objects) {
    for (const vlan of object.properties.vlans) {
      const owner = owners.get(vlan);
      owners.set(vlan, owner ?? object.name);
      if (owner === undefined) continue;
      const where = owner === object.name ? 'named twice' : `in Route Domain (${owner})`;
      context.error(object, `Route Domain (${object.name}): ${vlan} is already ${where}.`, {
        property: 'vlans',
        value: vlan,
        hint: 'A VLAN or tunnel belongs to one route domain only: delete it from the other one first.',
      });
    }
  }
}

/** The members of a VLAN group are where the group is. */
function checkGroups(objects: readonly RouteDomain[], context: CheckContext): void {
  const ownerOf = new Map(objects.flatMap((object) => object.properties.vlans.map((vlan) => [vlan, object] as const)));
  const standard = objects.find(({ properties }) => properties.id === DEFAULT_ROUTE_DOMAIN);
  for (const group of context.all(netVlanGroup)) {
    const own = ownerOf.get(group.name) ?? standard;
    for (const member of group.properties.members) {
      const owner = ownerOf.get(member);
      if (owner === undefined || owner === own) continue;
      const text = `${member} is a member of VLAN group (${group.name}), which is in Route Domain (${own?.name ?? '0'}).`;
      context.error(owner, `Route Domain (${owner.name}): ${text}`, {
        property: 'vlans',
        value: member,
        hint: `Name the group instead of its members: vlans add { ${group.name} }`,
      });
    }
  }
}

function checkParent(object: RouteDomain, context: CheckContext): void {
  const seen = new Set<string>();
  let at: RouteDomain | undefined = object;
  while (at !== undefined && !seen.has(at.name)) {
    seen.add(at.name);
    const { parent }: { parent?: string } = at.properties;
    at = parent === undefined ? undefined : context.find(netRouteDomain, parent);
  }
  if (at !== object) return;
  context.error(object, `Route Domain (${object.name}): parent leads back to itself.`, {
    property: 'parent',
    value: object.properties.parent ?? '',
    hint: 'Name a route domain that does not have this one as a parent.',
  });
}

/** What the kernel owns the addresses of is in route domain 0: it knows no other. */
function checkPlace(object: RouteDomain, vlan: string, context: CheckContext): void {
  if (object.properties.id === DEFAULT_ROUTE_DOMAIN) return;
  const port = hostInterfaceOf(vlan, context);
  if (port === undefined) return;
  const text = `interface ${port} of VLAN (${vlan}) has address-owner host, whose kernel knows route domain 0 only.`;
  context.error(object, `Route Domain (${object.name}): ${text}`, {
    property: 'vlans',
    value: vlan,
    hint: 'Give the interface an adapter that owns the address, as packet-ring.',
  });
}

/** The interface of a VLAN by which the kernel owns its addresses; undefined when they are ours. */
export function hostInterfaceOf(vlan: string, context: CheckContext): string | undefined {
  const interfaces = Object.keys(context.find(netVlan, vlan)?.properties.interfaces ?? {});
  return interfaces.find((name) => {
    const adapter = context.find(netInterface, name)?.properties.adapter;
    return adapter !== undefined && !carriesFrames(adapter);
  });
}
