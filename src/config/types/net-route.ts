// `net route`: a static route of a route domain.

import {
  familyBits,
  formatPrefix,
  type IpAddress,
  type IpPrefix,
  MAX_ROUTE_DOMAIN,
  networkOf,
  parseAddress,
  parsePrefix,
  prefixContains,
  sameAddress,
} from '../../core/address.ts';
import { address, flag, inDomain, integer, pattern, reference, string } from '../kinds.ts';
import { type CheckContext, objectType, type ObjectOf } from '../object-type.ts';
import type { Reading } from '../property.ts';
import { checkRouteDomain, findRouteDomain, routeDomainOf } from '../route-domain.ts';
import { ltmNode } from './ltm-node.ts';
import { ltmPool, poolAddresses } from './ltm-pool.ts';
import { hostInterfaceOf } from './net-route-domain.ts';
import { netSelf, type Self } from './net-self.ts';
import { netTunnelsTunnel } from './net-tunnels-tunnel.ts';
import { netVlanGroup } from './net-vlan-group.ts';
import { netVlan } from './net-vlan.ts';

const DEFAULT = /^default(-inet6)?(?:%(0|[1-9][0-9]{0,4}))?$/;

/** The prefix of a canonical `network`. */
export function routeNetwork(text: string): IpPrefix | undefined {
  const match = DEFAULT.exec(text);
  if (match === null) return parsePrefix(text);
  const routeDomain = Number(match[2] ?? 0);
  if (routeDomain > MAX_ROUTE_DOMAIN) return undefined;
  const family = match[1] === undefined ? 4 : 6;
  return { address: { family, words: [0, 0, 0, 0], routeDomain }, length: 0 };
}

function readNetwork(word: string): Reading<string> {
  const prefix = routeNetwork(word) ?? hostPrefix(word);
  if (prefix === undefined) return { problem: 'must be default, default-inet6, or a network as in 10.5.5.0/24' };
  const network = networkOf(prefix);
  if (!sameAddress(network, prefix.address)) {
    return { problem: `has bits behind its length: the network is ${formatPrefix({ ...prefix, address: network })}` };
  }
  if (prefix.length > 0) return { value: formatPrefix(prefix) };
  const { family, routeDomain } = network;
  return { value: `${family === 4 ? 'default' : 'default-inet6'}${routeDomain === 0 ? '' : `%${routeDomain}`}` };
}

/** An address without a length is a route to a host. */
function hostPrefix(word: string): IpPrefix | undefined {
  const host = parseAddress(word);
  return host && { address: host, length: familyBits(host.family) };
}

export const netRoute = objectType({
  path: 'net route',
  label: 'Route',
  help: 'A static route: by which gateway or VLAN a network is reached.',
  example: `
net vlan wan {
    tag 4094
}
net self wan-self {
    address 192.0.2.1/24
    vlan wan
}
net route default {
    gw 192.0.2.254
    network default
}
`,
  naming: 'full-path',
  sync: 'local',
  properties: {
    blackhole: flag('blackhole', 'no-blackhole', { help: 'Packets to the network are dropped.' }),
    description: string({ help: 'Text for people.' }),
    gw: address({ help: 'The gateway: an address on a network of a self IP.' }),
    interface: reference([netVlan, netVlanGroup, netTunnelsTunnel], {
      help: 'The VLAN or tunnel on which the destinations are themselves, or on which the gateway is.',
      restName: 'tmInterface',
    }),
    mtu: integer(
      { min: 0, max: 65535 },
      { default: 0, help: 'Largest IP packet in octets that may take the route; 0: what the way out carries.' },
    ),
    network: pattern(
      {
        name: 'ip-network',
        expects: 'default, default-inet6, or a network as in 10.5.5.0/24',
        read: readNetwork,
        inDomain,
      },
      {
        default: 'default',
        immutable: true,
        help: 'The destinations; when it is left out, the name if it is a network, and default otherwise.',
      },
    ),
    pool: reference([ltmPool], { help: 'A pool of gateways, of which each flow takes one that answers.' }),
  },
  assign(name, own) {
    if (own.network !== undefined) return;
    const network = readNetwork(name.slice(name.indexOf('/', 1) + 1));
    if ('value' in network) own.network = network.value;
  },
  check(objects, context) {
    if (objects.length === 0) return;
    const byNetwork = new Map<string, string>();
    const ways = new WayCheck(context);
    for (const object of objects) {
      const { network } = object.properties;
      const twin = byNetwork.get(network);
      if (twin !== undefined) {
        context.error(object, `Route (${object.name}): the network ${network} has Route (${twin}) already.`, {
          property: 'network',
          value: network,
          hint: 'For several gateways of one network name a pool: pool POOL',
        });
      }
      byNetwork.set(network, object.name);
      const prefix = routeNetwork(network)!;
      checkRouteDomain(object, 'network', prefix.address, context);
      ways.check(object, prefix);
    }
  },
});

export type StaticRoute = ObjectOf<typeof netRoute>;

/** The checks of one validation, which look at each self IP once. */
class WayCheck {
  readonly #context: CheckContext;
  /** Connected networks by route domain. */
  readonly #connected = new Map<number, { self: Self; prefix: IpPrefix }[]>();

  constructor(context: CheckContext) {
    this.#context = context;
    for (const self of context.all(netSelf)) {
      const prefix = parsePrefix(self.properties.address)!;
      const { routeDomain } = prefix.address;
      const list = this.#connected.get(routeDomain);
      if (list === undefined) this.#connected.set(routeDomain, [{ self, prefix }]);
      else list.push({ self, prefix });
    }
  }

  check(route: StaticRoute, { address: network }: IpPrefix): void {
    const { gw, pool, blackhole = false, interface: vlan } = route.properties;
    const ways = [gw !== undefined || vlan !== undefined, pool !== undefined, blackhole].filter(Boolean).length;
    if (ways !== 1) {
      const text = ways === 0 ? 'it leads nowhere.' : 'it leads to several things at once.';
      const hint = 'Give it one of gw, interface, pool and blackhole; gw may stand beside interface.';
      this.#refuse(route, 'gw', gw ?? '', text, hint);
      return;
    }
    if (vlan !== undefined) {
      this.#refuseHost(route, 'interface', vlan, vlan);
      const { id } = routeDomainOf(vlan, this.#context);
      this.#warnIsolated(route, 'interface', vlan, network.routeDomain, id);
    }
    if (gw !== undefined) this.#checkGateway(route, 'gw', gw, network, vlan);
    const members = pool === undefined ? undefined : this.#context.find(ltmPool, pool);
    if (members === undefined) return;
    const node = (name: string) => this.#context.find(ltmNode, name);
    for (const member of poolAddresses(members, node)) this.#checkGateway(route, 'pool', member, network, undefined);
  }

  #refuse(route: StaticRoute, property: string, value: string, text: string, hint: string): void {
    this.#context.error(route, `Route (${route.name}): ${text}`, { property, value, hint });
  }

  #checkGateway(
    route: StaticRoute,
    property: string,
    text: string,
    network: IpAddress,
    vlan: string | undefined,
  ): void {
    const gateway = parseAddress(text)!;
    checkRouteDomain(route, property, gateway, this.#context);
    if (gateway.family !== network.family) {
      const what = `gateway ${text} has another IP version than network ${route.properties.network}.`;
      this.#refuse(route, property, text, what, 'A gateway has the IP version of the destinations.');
      return;
    }
    if (vlan !== undefined) return;
    const near = this.#connected.get(gateway.routeDomain)?.find(({ prefix }) => prefixContains(prefix, gateway));
    if (near === undefined) {
      const what = `Static route gateway ${text} is not directly connected via an interface.`;
      const hint = 'Name an address on the network of a self IP, or the VLAN by interface as well.';
      this.#refuse(route, property, text, what, hint);
      return;
    }
    const { self, prefix } = near;
    if (sameAddress(prefix.address, gateway)) {
      const what = `gateway ${text} is self IP (${self.name}).`;
      this.#refuse(route, property, text, what, 'Name the address of another router.');
    }
    this.#refuseHost(route, property, text, self.properties.vlan);
    this.#warnIsolated(route, property, text, network.routeDomain, gateway.routeDomain);
  }

  /** Routes over what the kernel owns are the kernel's. */
  #refuseHost(route: StaticRoute, property: string, value: string, vlan: string): void {
    const port = hostInterfaceOf(vlan, this.#context);
    if (port === undefined) return;
    const what = `${value} is reached by interface ${port} of VLAN (${vlan}), which has address-owner host.`;
    this.#refuse(route, property, value, what, "The host's own routes count there: ip route add");
  }

  /** A route into another route domain is kept, as on the device, and what takes it is dropped. */
  #warnIsolated(route: StaticRoute, property: string, value: string, from: number, to: number): void {
    const one = findRouteDomain(from, this.#context);
    const other = findRouteDomain(to, this.#context);
    if (from === to || one === undefined || other === undefined) return;
    if (!crossesStrictly(one.properties, other)) return;
    const text = `leads from route domain ${from} into ${to}, and one of the two is strict: packets will be dropped.`;
    this.#context.warn(route, `Route (${route.name}) ${text}`, {
      property,
      value,
      hint: `modify net route-domain ${from} strict disabled, and the same for ${to}`,
    });
  }
}

/** Whether strict isolation forbids a route from one domain into another, which is not its parent. */
export function crossesStrictly(
  from: { readonly strict: boolean; readonly parent?: string },
  to: { readonly name: string; readonly properties: { readonly strict: boolean } },
): boolean {
  return from.parent !== to.name && (from.strict || to.properties.strict);
}
