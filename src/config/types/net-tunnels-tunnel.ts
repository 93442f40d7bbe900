// `net tunnels tunnel`: one tunnel, whatever its encapsulation, as a layer 2 interface beside the VLANs.

import { isLimitedBroadcast, isLocalControlMulticast, isMulticast, isUnspecified } from '../../core/address.ts';
import { parseAddressOrAny } from '../../core/address.ts';
import { addressOrAny, choice, integer, integerOrWord, reference, string, toggle } from '../kinds.ts';
import { objectType } from '../object-type.ts';
import type { CheckContext, ObjectOf } from '../object-type.ts';
import { netTunnelsVxlan } from './net-tunnels-vxlan.ts';

/** VNIs have 24 bits (RFC 7348, section 5). */
export const MAX_VNI = 0xffffff;

export const netTunnelsTunnel = objectType({
  path: 'net tunnels tunnel',
  label: 'Tunnel',
  help: 'A tunnel; it joins VLANs in a VLAN group and carries self IPs as they do.',
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
        help: 'What tells the tunnel from others between the same ends: the VNI of VXLAN.',
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
      help: 'The directions in which the tunnel carries traffic.',
    }),
    mtu: integer(
      { min: 0, max: 65515 },
      { default: 0, help: 'Largest inner IP packet in octets; 0: what the underlay leaves room for.' },
    ),
    profile: reference([netTunnelsVxlan], {
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
      help: 'A non-floating local address for traffic of the device itself.',
      inert: true,
    }),
    tos: integerOrWord(
      { min: 0, max: 255, words: ['preserve'] },
      { default: 'preserve', help: 'TOS of the outer header: the inner one, or a value (its ECN bits by RFC 6040).' },
    ),
    'traffic-group': string({ help: 'The traffic group that the tunnel moves with.', inert: true }),
    transparent: toggle({ default: false, help: 'Decapsulate and encapsulate anew by policy (ipip and gre only).' }),
    ttl: integer(
      { min: 1, max: 255 },
      { default: 255, help: 'TTL or hop limit of the outer header.', extension: true },
    ),
    'use-pmtu': toggle({
      default: true,
      help: 'Whether the path MTU of the underlay limits the MTU of the tunnel.',
      inert: true,
    }),
  },
  check(objects, context) {
    const byEnds = new Map<string, string>();
    for (const object of objects) {
      const { key, profile, transparent } = object.properties;
      const vxlan = context.find(netTunnelsVxlan, profile);
      checkEnds(object, context);
      if (transparent) {
        context.error(object, `Tunnel (${object.name}): transparent tunnels need a profile of type ipip or gre.`, {
          property: 'transparent',
          value: 'enabled',
          hint: 'Leave transparent disabled.',
        });
      }
      if (vxlan === undefined) continue;
      if (key > MAX_VNI) {
        context.error(object, `Tunnel (${object.name}): key ${key} is no VNI: it must be from 0 to ${MAX_VNI}.`, {
          property: 'key',
          value: String(key),
        });
      }
      checkFlooding(object, vxlan.properties['flooding-type'], context);
      const local = object.properties['local-address'];
      const remote = wildcard(object.properties['remote-address']) ? 'any' : object.properties['remote-address'];
      const ends = `${local} ${remote} ${key} ${vxlan.properties.port}`;
      const twin = byEnds.get(ends);
      if (twin !== undefined) {
        context.error(
          object,
          `Tunnel (${object.name}): tunnel (${twin}) already has local-address ${local}, ` +
            `remote-address ${remote}, key ${key} and port ${vxlan.properties.port}.`,
          { property: 'key', value: String(key), hint: 'Give each tunnel between the same ends a key of its own.' },
        );
      }
      byEnds.set(ends, object.name);
    }
  },
});

export type Tunnel = ObjectOf<typeof netTunnelsTunnel>;

function wildcard(text: string): boolean {
  const address = parseAddressOrAny(text);
  return address === undefined || isUnspecified(address);
}

function checkEnds(tunnel: Tunnel, context: CheckContext): void {
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

function checkFlooding(tunnel: Tunnel, flooding: string, context: CheckContext): void {
  const remoteText = tunnel.properties['remote-address'];
  const remote = parseAddressOrAny(remoteText)!;
  const profile = tunnel.properties.profile;
  if (isLocalControlMulticast(remote)) {
    context.error(
      tunnel,
      `Tunnel (${tunnel.name}): remote-address ${remoteText} is in 224.0.0.0/24, which routers never forward.`,
      { property: 'remote-address', value: remoteText, hint: 'Choose a group outside 224.0.0.0/24, as in 239.0.0.1.' },
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
