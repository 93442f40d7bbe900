// `net vlan-group`: VLANs and tunnels joined to one layer 2 network.
//
// What passes between two members crosses the group: `mode` and the bridge-… properties are about such frames. Frames that
// stay within one VLAN of several interfaces are switched as if there were no group.

import { choice, integer, referenceList, string, toggle } from '../kinds.ts';
import { objectType } from '../object-type.ts';
import type { AnyConfigObject, CheckContext } from '../object-type.ts';
import { remembered } from '../remembered.ts';
import { encapsulationOf, isLayer3 } from '../tunnel-keys.ts';
import { carriesPackets, netInterface } from './net-interface.ts';
import { netTunnelsTunnel, type Tunnel } from './net-tunnels-tunnel.ts';
import { netVlan } from './net-vlan.ts';

export const netVlanGroup = objectType({
  path: 'net vlan-group',
  label: 'VLAN group',
  readBy: ['healthd'],
  help: 'VLANs and tunnels joined to one layer 2 network.',
  example: `
net vlan servers {
    tag 100
}
net tunnels tunnel vx1 {
    key 100
    local-address 192.0.2.1
    profile vxlan-multipoint
    remote-address 192.0.2.2
}
net vlan-group lan {
    bridge-traffic enabled
    members {
        servers
        vx1
    }
    mode transparent
}
`,
  naming: 'full-path',
  sync: 'local',
  nameSpace: 'vlan',
  properties: {
    'auto-lasthop': choice(['default', 'enabled', 'disabled'], {
      default: 'default',
      help: 'Whether replies of this host go back to the MAC that a request came from; default: as sys db connection.autolasthop says.',
    }),
    'bridge-in-standby': toggle({ default: true, help: 'Bridge also while the device is standby.' }),
    'bridge-multicast': toggle({ default: true, help: 'Bridge multicast frames; broadcasts are bridged always.' }),
    'bridge-traffic': toggle({ default: false, help: 'Bridge every kind of frame, not only IP and ARP.' }),
    description: string({ help: 'Text for people.' }),
    members: referenceList([netVlan, netTunnelsTunnel], { default: [], help: 'The VLANs and tunnels of the group.' }),
    'migration-keepalive': toggle({ default: false, help: 'Send keepalives when a MAC moves.', inert: true }),
    mode: choice(['translucent', 'transparent', 'opaque', 'virtual-wire'], {
      default: 'translucent',
      help: 'How stations appear on the other side: translucent, with the local bit of their MAC toggled; transparent, as they are; opaque, all with the MAC of the group, and IP is routed between them.',
    }),
    'split-horizon': choice(['tunnels', 'none'], {
      default: 'tunnels',
      help: 'tunnels: what came from a tunnel does not leave by another tunnel of the group. none: it does.',
      extension: true,
    }),
    'vlan-group-id': integer({ min: 1, max: 4294967295 }, { help: 'Number of the group on a BIG-IP.', inert: true }),
  },
  check(objects, context) {
    const owners = new Map<string, string>();
    for (const object of objects) {
      for (const member of object.properties.members) {
        refuseLayer3(object, member, context);
        refusePackets(object, member, context);
        const owner = owners.get(member);
        if (owner === undefined) {
          owners.set(member, object.name);
          continue;
        }
        const where = owner === object.name ? 'twice a member of the group' : `a member of VLAN group (${owner})`;
        context.error(object, `VLAN group (${object.name}): ${member} is already ${where}.`, {
          property: 'members',
          value: member,
          hint: 'A VLAN or tunnel belongs to one VLAN group only: delete it from the other one first.',
        });
      }
    }
  },
});

const carriesOnlyPackets = remembered(({ properties }: Tunnel, context) => {
  const encapsulation = encapsulationOf(properties.profile, context);
  return encapsulation !== undefined && isLayer3(encapsulation);
});

/** A tunnel that carries packets has nothing to bridge. */
function refuseLayer3(group: AnyConfigObject, member: string, context: CheckContext): void {
  const tunnel = context.find(netTunnelsTunnel, member);
  if (tunnel === undefined || !carriesOnlyPackets(tunnel, context)) return;
  context.error(group, `VLAN group (${group.name}): ${member} carries IP packets, not frames: it cannot be bridged.`, {
    property: 'members',
    value: member,
    hint: 'Use a GRE profile with encapsulation transparent-ethernet-bridging, or route to the tunnel.',
  });
}

/** A VLAN on a TUN device carries packets, which cannot be bridged either. */
function refusePackets(group: AnyConfigObject, member: string, context: CheckContext): void {
  const interfaces = Object.keys(context.find(netVlan, member)?.properties.interfaces ?? {});
  const packets = interfaces.find((name) => {
    const port = context.find(netInterface, name);
    return port !== undefined && carriesPackets(port.properties.adapter);
  });
  if (packets === undefined) return;
  const text = `VLAN group (${group.name}): ${member} cannot be bridged: its interface ${packets} has adapter tun, which carries IP packets.`;
  context.error(group, text, { property: 'members', value: member, hint: 'Use adapter tap.' });
}
