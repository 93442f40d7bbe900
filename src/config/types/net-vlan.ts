// `net vlan`: a layer 2 network on interfaces, untagged, with an 802.1Q tag, or with two (Q-in-Q, IEEE 802.1ad).
//
// With a customer tag, `tag` is the service tag. Which of the two a frame carries on an interface is its tag-mode: customer,
// service, or double for both. Without one, it is `tag` alone, as an 802.1Q tag.

import { choice, flag, integer, recordsByReference, string, toggle } from '../kinds.ts';
import { objectType } from '../object-type.ts';
import { carriesPackets, netInterface } from './net-interface.ts';

const HIGHEST_TAG = 4094;

export const netVlan = objectType({
  path: 'net vlan',
  label: 'VLAN',
  readBy: ['healthd'],
  help: 'A layer 2 network on interfaces, untagged or with an 802.1Q tag.',
  example: `
net interface 1.1 {
    device eth1
}
net interface 1.2 {
    device eth2
}
net vlan servers {
    interfaces {
        1.1 { }
        1.2 {
            tagged
        }
    }
    mtu 9000
    tag 100
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
    'customer-tag': integer(
      { min: 1, max: HIGHEST_TAG },
      { help: 'The inner VLAN ID, on interfaces whose tag-mode says so.' },
    ),
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
        'tag-mode': choice(['none', 'customer', 'service', 'double'], {
          default: 'none',
          help: 'Which tags they carry: the customer tag, the service tag (tag), or both. none: tag, as an 802.1Q tag.',
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
      help: 'Drop a packet when the route back to its source, the network of a self IP, leads to another VLAN.',
    }),
    tag: integer(
      { min: 1, max: HIGHEST_TAG },
      { assigned: true, help: 'The 802.1Q VLAN ID. When it is left out, the highest free one from 4094 downwards.' },
    ),
  },
  assign(_name, own, others) {
    if (own.tag !== undefined) return;
    const taken = new Set(others().map((other) => other.properties.tag));
    for (let tag = HIGHEST_TAG; tag > 0; tag--) {
      if (taken.has(tag)) continue;
      own.tag = tag;
      return;
    }
  },
  check(objects, context) {
    // interface → tags on the wire → VLAN
    const owners = new Map<string, Map<string, string>>();
    for (const object of objects) {
      const { interfaces, tag, 'customer-tag': customer } = object.properties;
      const packets = Object.keys(interfaces).find((name) => {
        const port = context.find(netInterface, name);
        return port !== undefined && carriesPackets(port.properties.adapter);
      });
      if (packets !== undefined && (Object.keys(interfaces).length > 1 || interfaces[packets]!.tagged)) {
        const text = `VLAN (${object.name}): interface ${packets} has adapter tun, which carries IP packets: it has to be the only one, and untagged.`;
        const hint = `Give it a VLAN of its own: create net vlan host interfaces add { ${packets} { untagged } }`;
        context.error(object, text, { property: 'interfaces', value: packets, hint });
      }
      for (const [interfaceName, { tagged, 'tag-mode': mode }] of Object.entries(interfaces)) {
        const refuse = (property: string, value: string, text: string, hint: string): void =>
          context.error(object, `VLAN (${object.name}): ${text}`, { property, value, hint });
        if (mode !== 'none' && !tagged) {
          refuse(
            'tag-mode',
            mode,
            `interface ${interfaceName} has tag-mode ${mode}, but is untagged.`,
            'Make it tagged.',
          );
          continue;
        }
        if ((mode === 'customer' || mode === 'double') && customer === undefined) {
          const text = `interface ${interfaceName} has tag-mode ${mode}, but the VLAN has no customer-tag.`;
          refuse('tag-mode', mode, text, `modify net vlan ${object.name} customer-tag 100`);
          continue;
        }
        const byTags = owners.get(interfaceName) ?? new Map<string, string>();
        owners.set(interfaceName, byTags);
        const key = describeTags(tagged, mode, tag, customer);
        const user = byTags.get(key);
        if (user === undefined) {
          byTags.set(key, object.name);
          continue;
        }
        const hint = tagged
          ? 'Choose another tag.'
          : 'An interface is untagged in one VLAN only: make the other one tagged.';
        const verb = key.startsWith('tag ') ? 'belongs' : 'belong';
        refuse('interfaces', interfaceName, `${key} of interface ${interfaceName} ${verb} to VLAN (${user}).`, hint);
      }
    }
  },
});

/** What frames of a VLAN carry on an interface, in words: the same words, the same frames. */
function describeTags(tagged: boolean, mode: string, tag: number | undefined, customer: number | undefined): string {
  if (!tagged) return 'untagged frames';
  if (mode === 'double') return `tags ${tag} and ${customer}`;
  return `tag ${mode === 'customer' ? customer : tag}`;
}
