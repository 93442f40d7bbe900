// `net interface`: a port of the machine, as VLANs name it (1.1, 2.1).
//
// On a BIG-IP the hardware brings its interfaces along; here one is created by naming the Linux device behind it.

import { choice, flag, pattern, string } from '../kinds.ts';
import { objectType } from '../object-type.ts';

/** IFNAMSIZ - 1 octets, no white space and no slash (Linux, dev_valid_name). */
const DEVICE = /^(?!\.{1,2}$)[^\s/:]{1,15}$/;

export const netInterface = objectType({
  path: 'net interface',
  label: 'Interface',
  help: 'A port of the machine, bound to a Linux network device.',
  naming: 'plain',
  sync: 'local',
  properties: {
    description: string({ help: 'Text for people.' }),
    enabled: flag('enabled', 'disabled', {
      default: true,
      help: 'A disabled interface neither receives nor sends.',
    }),
    device: pattern(
      {
        name: 'device',
        expects: 'the name of a Linux network device',
        read: (word) =>
          DEVICE.test(word) ? { value: word } : { problem: 'must be a device name of 1 to 15 characters' },
      },
      { help: 'The Linux network device behind the interface.', extension: true, onChange: 'rebuild' },
    ),
    adapter: choice(['packet-ring', 'udp'], {
      default: 'packet-ring',
      help: 'How frames are read and written: packet-ring owns the device; udp sends tunnels through kernel sockets.',
      extension: true,
      onChange: 'rebuild',
    }),
    'qinq-ethertype': choice(['0x8100', '0x88a8', '0x9100'], {
      default: '0x8100',
      help: 'The EtherType of the service tag: the outer one of two, or the one of tag-mode service.',
    }),
    'address-owner': choice(['host', 'wideplane'], {
      default: (own) => (own.adapter === 'udp' ? 'host' : 'wideplane'),
      help: 'Who answers for the self IPs: the kernel (default of udp), or wideplane itself (default of packet-ring).',
      extension: true,
      onChange: 'rebuild',
    }),
  },
  check(objects, context) {
    const byDevice = new Map<string, string>();
    for (const object of objects) {
      const { device, adapter, 'address-owner': owner } = object.properties;
      if (device === undefined) {
        const hint = `Name one: modify net interface ${object.name} device eth1`;
        context.warn(object, `Interface (${object.name}) has no device: nothing will be received or sent.`, { hint });
        continue;
      }
      const user = byDevice.get(device);
      if (user !== undefined) {
        context.error(object, `Interface (${object.name}): the device ${device} belongs to interface (${user}).`, {
          property: 'device',
          value: device,
          hint: 'Give each interface a device of its own.',
        });
      }
      byDevice.set(device, object.name);
      const wanted = adapter === 'udp' ? 'host' : 'wideplane';
      if (owner !== wanted) {
        context.error(
          object,
          `Interface (${object.name}): address-owner ${owner} does not go with adapter ${adapter}, which needs ${wanted}.`,
          { property: 'address-owner', value: owner, hint: `Leave address-owner out, or choose the other adapter.` },
        );
      }
    }
  },
});
