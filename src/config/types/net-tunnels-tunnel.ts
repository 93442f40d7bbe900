// `net tunnels tunnel`: one tunnel, whatever its encapsulation, as a layer 2 interface beside the VLANs.

import { isLimitedBroadcast, isLocalControlMulticast, isMulticast, isUnspecified } from '../../core/address.ts';
import { parseAddressOrAny } from '../../core/address.ts';
import { checkIpsecTunnel } from '../check-ipsec-tunnel.ts';
import { addressOrAny, choice, integer, integerOrWord, reference, string, toggle } from '../kinds.ts';
import { objectType } from '../object-type.ts';
import type { ObjectOf } from '../object-type.ts';
import { remembered } from '../remembered.ts';
import type { ObjectContext } from '../remembered.ts';
import { type Encapsulation, encapsulationOf, type KeyPlace, keyPlaces } from '../tunnel-keys.ts';
import { netTunnelsEtherip } from './net-tunnels-etherip.ts';
import { netTunnelsGre } from './net-tunnels-gre.ts';
import { netTunnelsIpsec } from './net-tunnels-ipsec.ts';
import { netTunnelsVxlan } from './net-tunnels-vxlan.ts';

export const netTunnelsTunnel = objectType({
  path: 'net tunnels tunnel',
  label: 'Tunnel',
  help: 'A tunnel; it joins VLANs in a VLAN group and carries self IPs as they do.',
  example: `
net vlan wan {
    tag 4094
}
net self wan-self {
    address 192.0.2.1/24
    vlan wan
}
net tunnels tunnel vx1 {
    key 100
    local-address 192.0.2.1
    profile vxlan-multipoint
    remote-address 192.0.2.2
}
`,
  naming: 'full-path',
  sync: 'device-group',
  nameSpace: 'vlan',
  properties: {
    'auto-lasthop': choice(['default', 'enabled', 'disabled'], {
      default: 'default',
      help: 'Whether replies of this host go back to the MAC that a request came from; default: as sys db connection.autolasthop says.',
    }),
    description: string({ help: 'Text for people.' }),
    'idle-timeout': integer(
      { min: 0, max: 4294967295 },
      { default: 300, help: 'Seconds after which an idle wildcard tunnel is forgotten.', inert: true },
    ),
    key: integer(
      { min: 0, max: 4294967295 },
      {
        default: 0,
        help:
          'What tells the tunnel from others between the same ends: the VNI of VXLAN, the VSID of NVGRE, or a GRE key, ' +
          'which 0 leaves out. EtherIP and IPsec have none.',
        onChange: 'rebuild',
      },
    ),
    'local-address': addressOrAny({
      default: 'any6',
      help: 'The address of this end: a self IP.',
      onChange: 'rebuild',
    }),
    mode: choice(['bidirectional', 'inbound', 'outbound'], {
      default: 'bidirectional',
      help:
        'The directions in which the tunnel carries traffic. What an inbound NVGRE tunnel takes comes in by the NVGRE tunnel ' +
        'of the same local address whose self IP is on the network of its inner source, if there is one.',
    }),
    'mss-clamp': integerOrWord(
      { min: 64, max: 65495, words: ['disabled', 'auto'] },
      {
        default: 'disabled',
        help: 'Largest TCP segment that hosts may agree on through the tunnel; auto: what its MTU has room for.',
        extension: true,
      },
    ),
    mtu: integer(
      { min: 0, max: 65515 },
      { default: 0, help: 'Largest inner IP packet in octets; 0: what the underlay leaves room for.' },
    ),
    profile: reference([netTunnelsVxlan, netTunnelsGre, netTunnelsEtherip, netTunnelsIpsec], {
      required: true,
      help: 'The tunnel profile, which decides the encapsulation.',
      onChange: 'rebuild',
    }),
    'remote-address': addressOrAny({
      default: 'any6',
      help: 'The address of the other end; any or any6 for several, a group for multicast flooding.',
      onChange: 'rebuild',
    }),
    'secondary-address': addressOrAny({
      default: 'any6',
      help:
        'A non-floating self IP that the tunnel takes packets at as well, and from which it sends what the device itself ' +
        'has made.',
      onChange: 'rebuild',
    }),
    tos: integerOrWord(
      { min: 0, max: 255, words: ['preserve'] },
      { default: 'preserve', help: 'TOS of the outer header: the inner one, or a value (its ECN bits by RFC 6040).' },
    ),
    'traffic-group': string({ help: 'The traffic group that the tunnel moves with.', inert: true }),
    transparent: toggle({
      default: false,
      help:
        'Whether it is of tunnels between others, which pass through here (gre only, without addresses and key). Their packets are ' +
        'routed as they are: there is no virtual server that could take what is in them.',
    }),
    ttl: integer(
      { min: 1, max: 255 },
      { default: 255, help: 'TTL or hop limit of the outer header.', extension: true },
    ),
    'use-pmtu': toggle({
      default: true,
      help:
        'Whether the MTU of the link and of the path to the other end limits that of the tunnel. Without it the packets of ' +
        'the tunnel may be fragmented, and are where the link is too small.',
    }),
  },
  check(objects, context) {
    const taken = new TakenPlaces();
    for (const object of objects) {
      for (const { place, shared, text } of checkTunnel(object, context)) {
        const twin = taken.claim(place, object.name, shared);
        if (twin === undefined) continue;
        context.error(object, `Tunnel (${object.name}): tunnel (${twin}) already has ${text}.`, {
          property: 'key',
          value: String(object.properties.key),
          hint: 'Give each tunnel between the same ends a key of its own.',
        });
        break;
      }
    }
  },
});

export type Tunnel = ObjectOf<typeof netTunnelsTunnel>;

/** What can be said of a tunnel without the others; what it takes for itself among them. */
const checkTunnel = remembered((object: Tunnel, context) => {
  const { profile, transparent } = object.properties;
  const encapsulation = encapsulationOf(profile, context);
  if (transparent) {
    checkTransparent(object, encapsulation, context);
    return [];
  }
  checkEnds(object, context);
  checkSecondary(object, context);
  if (encapsulation === undefined) return [];
  checkKey(object, encapsulation, context);
  checkFlooding(object, encapsulation, context);
  checkIpsecTunnel(object, encapsulation, context);
  return placesOf(object, encapsulation);
});

function wildcard(text: string): boolean {
  const address = parseAddressOrAny(text);
  return address === undefined || isUnspecified(address);
}

function checkEnds(tunnel: Tunnel, context: ObjectContext): void {
  const { 'local-address': localText, 'remote-address': remoteText } = tunnel.properties;
  const local = parseAddressOrAny(localText)!;
  const remote = parseAddressOrAny(remoteText)!;
  const refuse = (property: string, value: string, text: string, hint: string) =>
    context.error(tunnel, `Tunnel (${tunnel.name}): ${text}`, { property, value, hint });
  if (isUnspecified(local)) {
    const hint = 'Name the self IP that the tunnel starts from.';
    refuse('local-address', localText, `local-address is ${localText}, but must be an address of its own.`, hint);
    return;
  }
  if (isMulticast(local) || isLimitedBroadcast(local)) {
    refuse('local-address', localText, `local-address ${localText} is a group.`, 'Name a self IP.');
    return;
  }
  if (isUnspecified(remote)) return;
  if (isLimitedBroadcast(remote)) {
    refuse('remote-address', remoteText, `remote-address ${remoteText} is a broadcast address.`, 'Name a host.');
    return;
  }
  if (remote.family !== local.family || remote.routeDomain !== local.routeDomain) {
    const what = remote.family === local.family ? 'route domain' : 'IP version';
    const text = `remote-address ${remoteText} has another ${what} than local-address ${localText}.`;
    refuse('remote-address', remoteText, text, `Both ends of a tunnel share the ${what}.`);
    return;
  }
  if (remoteText === localText) {
    const text = `remote-address ${remoteText} is the local-address.`;
    refuse('remote-address', remoteText, text, 'Name the other end.');
    return;
  }
}

/** What tunnels have taken for themselves, and who. */
class TakenPlaces {
  readonly #owners = new Map<string, { tunnel: string; by: string }>();

  /** The tunnel that has the place already, unless it shares it by the same word; undefined: it is the caller's now. */
  claim(place: string, tunnel: string, by = tunnel): string | undefined {
    const owner = this.#owners.get(place);
    if (owner === undefined) this.#owners.set(place, { tunnel, by });
    return owner === undefined || owner.by === by ? undefined : owner.tunnel;
  }
}

/** What no other tunnel may have between the same ends, each with the words for it. */
function placesOf(tunnel: Tunnel, encapsulation: Encapsulation): (KeyPlace & { text: string })[] {
  const { key, 'local-address': local, 'remote-address': remoteText, 'secondary-address': second } = tunnel.properties;
  const remote = wildcard(remoteText) ? 'any' : remoteText;
  const keyText = keyTextOf(encapsulation, key);
  const { port } = encapsulation;
  const locals = wildcard(second) ? [local] : [local, second];
  return locals.flatMap((address) => {
    const last = port === undefined ? ` and ${keyText}` : `, ${keyText} and port ${port}`;
    const text = `local-address ${address}, remote-address ${remote}${last}`;
    return keyPlaces(encapsulation, key).map((one) => ({ ...one, place: `${address} ${remote} ${one.place}`, text }));
  });
}

function keyTextOf({ kind, selector }: Encapsulation, key: number): string {
  if (kind === 'ipsec') return `traffic-selector ${selector}`;
  return kind === 'etherip' ? 'an EtherIP profile' : `key ${key}`;
}

function checkKey(tunnel: Tunnel, { keyName, label, maxKey }: Encapsulation, context: ObjectContext): void {
  const { key } = tunnel.properties;
  if (key <= maxKey) return;
  const text =
    maxKey === 0 ? `key ${key}: ${label} has none.` : `key ${key} is no ${keyName}: it must be from 0 to ${maxKey}.`;
  const details = { property: 'key', value: String(key), ...(maxKey === 0 ? { hint: 'Leave key 0.' } : {}) };
  context.error(tunnel, `Tunnel (${tunnel.name}): ${text}`, details);
}

/** A transparent tunnel has no ends of its own: packets of all tunnels that pass are meant. */
function checkTransparent(tunnel: Tunnel, encapsulation: Encapsulation | undefined, context: ObjectContext): void {
  const { 'local-address': local, 'remote-address': remote, key } = tunnel.properties;
  const refuse = (property: string, value: string, text: string, hint: string) =>
    context.error(tunnel, `Tunnel (${tunnel.name}): ${text}`, { property, value, hint });
  if (encapsulation?.kind !== 'gre') {
    const text = 'transparent tunnels need a profile of type ipip or gre, with encapsulation standard.';
    refuse('transparent', 'enabled', text, 'Leave transparent disabled.');
    return;
  }
  const hint = 'Leave transparent disabled, or write';
  if (!wildcard(remote)) {
    const text = `a transparent tunnel has no remote-address, but it is ${remote}.`;
    refuse('remote-address', remote, text, `${hint} remote-address any.`);
  }
  if (!wildcard(local)) {
    const text = `a transparent tunnel has no local-address, but it is ${local}.`;
    refuse('local-address', local, text, `${hint} local-address any, or any6 for IPv6.`);
  }
  if (key !== 0) {
    const text = `a transparent tunnel is of packets with any key, but key is ${key}.`;
    refuse('key', String(key), text, `${hint} key 0.`);
  }
}

function checkSecondary(tunnel: Tunnel, context: ObjectContext): void {
  const { 'local-address': localText, 'secondary-address': text } = tunnel.properties;
  const local = parseAddressOrAny(localText)!;
  const second = parseAddressOrAny(text)!;
  if (isUnspecified(second)) return;
  const refuse = (what: string, hint: string) =>
    context.error(tunnel, `Tunnel (${tunnel.name}): secondary-address ${text} ${what}.`, {
      property: 'secondary-address',
      value: text,
      hint,
    });
  if (isMulticast(second) || isLimitedBroadcast(second)) refuse('is a group', 'Name a self IP.');
  else if (text === localText) refuse('is the local-address', 'Name another self IP, or any.');
  else if (second.family !== local.family) {
    refuse(`has another IP version than local-address ${localText}`, 'Both addresses share the IP version.');
  } else if (second.routeDomain !== local.routeDomain) {
    refuse(`has another route domain than local-address ${localText}`, 'Both addresses share the route domain.');
  }
}

function checkFlooding(tunnel: Tunnel, { flooding, label }: Encapsulation, context: ObjectContext): void {
  const remoteText = tunnel.properties['remote-address'];
  const remote = parseAddressOrAny(remoteText)!;
  const profile = tunnel.properties.profile;
  if (isLocalControlMulticast(remote)) {
    context.error(
      tunnel,
      `Tunnel (${tunnel.name}): remote-address ${remoteText} is in 224.0.0.0/24, which routers never forward.`,
      { property: 'remote-address', value: remoteText, hint: 'Choose a group outside 224.0.0.0/24, as in 239.0.0.1.' },
    );
  } else if (isMulticast(remote) && flooding === undefined) {
    context.error(
      tunnel,
      `Tunnel (${tunnel.name}): remote-address ${remoteText} is a group, to which ${label} does not flood.`,
      {
        property: 'remote-address',
        value: remoteText,
        hint: 'Name the other end.',
      },
    );
  } else if (isMulticast(remote) && flooding !== 'multicast') {
    context.error(
      tunnel,
      `Tunnel (${tunnel.name}): remote-address ${remoteText} is a group, but profile (${profile}) has flooding-type ${flooding}.`,
      { property: 'remote-address', value: remoteText, hint: 'Use a profile with flooding-type multicast.' },
    );
  } else if (flooding === 'multicast' && isUnspecified(remote)) {
    context.warn(
      tunnel,
      `Tunnel (${tunnel.name}) will flood nothing: profile (${profile}) has flooding-type multicast and remote-address is ${remoteText}.`,
      {
        property: 'remote-address',
        value: remoteText,
        hint: 'Use profile vxlan-multipoint with FDB endpoints, or name a group.',
      },
    );
  }
}
