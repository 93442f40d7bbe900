// `net vlan`: a layer 2 network on interfaces, untagged or with an 802.1Q tag.

import { choice, flag, integer, recordsByReference, string, toggle } from '../kinds.ts';
import { objectType } from '../object-type.ts';
import { netInterface } from './net-interface.ts';

const HIGHEST_TAG = 4094;

export const netVlan = objectType({
  path: 'net vlan',
  label: 'VLAN',
  help: 'A layer 2 network on interfaces, untagged or with an 802.1Q tag.',
  naming: 'full-path',
  sync: 'local',
  nameSpace: 'vlan',
  properties: {
    'auto-lasthop': choice(['default', 'enabled', 'disabled'], {
      default: 'default',
      help: 'Whether replies go back to the MAC that a request came from.',
      inert: true,
    }),
    'cmp-hash': choice(['default', 'dst-ip', 'src-ip'], {
      default: 'default',
      help: 'How traffic is spread over workers.',
      inert: true,
    }),
    'dag-tunnel': choice(['outer', 'inner'], {
      default: 'outer',
      help: 'Whether tunnelled traffic is spread by outer or by inner headers.',
      inert: true,
    }),
    description: string({ help: 'Text for people.' }),
    failsafe: toggle({ default: false, help: 'Fail over when the VLAN is silent.', inert: true }),
    'failsafe-action': choice(['failover', 'failover-restart-tm', 'reboot', 'restart-all'], {
      default: 'failover-restart-tm',
      help: 'What VLAN fail-safe does.',
      inert: true,
    }),
    'failsafe-timeout': integer(
      { min: 10, max: 3600 },
      { default: 90, help: 'Seconds of silence before fail-safe acts.', inert: true },
    ),
    interfaces: recordsByReference(
      [netInterface],
      {
        tagged: flag('tagged', 'untagged', {
          default: false,
          help: 'Whether frames of the VLAN carry its tag on this interface.',
        }),
      },
      { default: {}, help: 'The interfaces of the VLAN.' },
    ),
    mtu: integer(
      { min: 576, max: 9216 },
      { default: 1500, help: 'Largest IP packet in octets; the Ethernet header and tags are not counted.' },
    ),
    'source-checking': toggle({
      default: false,
      help: 'Drop a packet when the route back to its source leads elsewhere.',
      inert: true,
    }),
    tag: integer(
      { min: 1, max: HIGHEST_TAG },
      { assigned: true, help: 'The 802.1Q VLAN ID. When it is left out, the highest free one from 4094 downwards.' },
    ),
  },
  assign(_name, own, others) {
    if (own.tag !== undefined) return;
    const taken = new Set(others.map((other) => other.properties.tag));
    for (let tag = HIGHEST_TAG; tag > 0; tag--) {
      if (taken.has(tag)) continue;
      own.tag = tag;
      return;
    }
  },
  check(objects, context) {
    // interface → tag (0: untagged) → VLAN
    const owners = new Map<string, Map<number, string>>();
    for (const object of objects) {
      const { interfaces, tag } = object.properties;
      for (const [interfaceName, { tagged }] of Object.entries(interfaces)) {
        const byTag = owners.get(interfaceName) ?? new Map<number, string>();
        owners.set(interfaceName, byTag);
        const key = tagged ? tag : 0;
        const user = byTag.get(key);
        if (user === undefined) {
          byTag.set(key, object.name);
          continue;
        }
        const what = tagged ? `tag ${tag}` : 'untagged frames';
        const hint = tagged
          ? 'Choose another tag.'
          : 'An interface is untagged in one VLAN only: make the other one tagged.';
        context.error(
          object,
          `VLAN (${object.name}): ${what} of interface ${interfaceName} belong${tagged ? 's' : ''} to VLAN (${user}).`,
          { property: 'interfaces', value: interfaceName, hint },
        );
      }
    }
  },
});
