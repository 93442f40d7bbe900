// `net interface`: a port of the machine, as VLANs name it (1.1, 2.1).
//
// On a BIG-IP the hardware brings its interfaces along; here one is created by naming the Linux device behind it.

import { choice, flag, integer, pattern, string } from '../kinds.ts';
import { objectType } from '../object-type.ts';

/** IFNAMSIZ - 1 octets, no white space and no slash (Linux, dev_valid_name). */
const DEVICE = /^(?!\.{1,2}$)[^\s/:]{1,15}$/;

const PATH = {
  name: 'path',
  expects: 'an absolute path',
  read: (word: string) => (word.startsWith('/') ? { value: word } : { problem: 'must be an absolute path' }),
};
const FILE_PROPERTIES = ['replay-file', 'record-file'] as const;

/** Adapters of net interface, each with what it is for. */
export const ADAPTERS = ['packet-ring', 'udp', 'raw-ip', 'tap', 'tun', 'af-xdp', 'pcap', 'capture-file'] as const;
export type Adapter = (typeof ADAPTERS)[number];

/** Whether tunnel payloads pass by sockets of the kernel, which has the addresses. */
export const usesHostStack = (adapter: Adapter): boolean => adapter === 'udp' || adapter === 'raw-ip';
/** Whether frames or packets, not tunnel payloads, pass by the adapter. */
export const carriesFrames = (adapter: Adapter): boolean => !usesHostStack(adapter);
/** Whether the device is made, and its other end is the kernel's. */
export const makesDevice = (adapter: Adapter): boolean => adapter === 'tap' || adapter === 'tun';
/** Whether IP packets without MAC headers pass. */
export const carriesPackets = (adapter: Adapter): boolean => adapter === 'tun';
/** Whether the adapter takes a device over from the kernel. */
export const ownsDevice = (adapter: Adapter): boolean =>
  !usesHostStack(adapter) && !makesDevice(adapter) && adapter !== 'capture-file';

export const netInterface = objectType({
  path: 'net interface',
  label: 'Interface',
  help: 'A port of the machine, bound to a Linux network device.',
  example: `
net interface 1.1 {
    device eth1
    adapter packet-ring
}
`,
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
    adapter: choice(ADAPTERS, {
      default: 'packet-ring',
      help: 'How frames are read and written: packet-ring, af-xdp and pcap own the device; udp sends VXLAN through kernel sockets, raw-ip also GRE and EtherIP; tap makes the device, whose other end is this host, tun one of IP packets; capture-file has files in place of a device. What udp and raw-ip send no IPsec of wideplane protects.',
      extension: true,
      onChange: 'rebuild',
    }),
    'qinq-ethertype': choice(['0x8100', '0x88a8', '0x9100'], {
      default: '0x8100',
      help: 'The EtherType of the service tag: the outer one of two, or the one of tag-mode service.',
    }),
    'address-owner': choice(['host', 'wideplane'], {
      default: (own) => (usesHostStack(own.adapter as Adapter) ? 'host' : 'wideplane'),
      help: 'Who answers for the self IPs: the kernel (default of udp and raw-ip), or wideplane itself (default of all others).',
      extension: true,
      onChange: 'rebuild',
    }),
    'transmit-offloads': choice(['keep', 'off'], {
      default: 'keep',
      help: 'off: checksum and segmentation offload of the device are switched off while wideplane has it, so that whole frames leave a veth, which lets frames of one flow be joined on their way.',
      extension: true,
      onChange: 'rebuild',
    }),
    'receive-offloads': choice(['keep', 'off', 'join-datagrams'], {
      default: 'keep',
      help: 'off: packets are not joined by the kernel or the card before wideplane has them (GRO, LRO), while it has the device. For an underlay whose packets are those of tunnels, which gain nothing by it. join-datagrams: adapter packet-ring, Linux 6.2; datagrams of one flow too come joined: for bulk traffic in ESP in UDP, or in VXLAN with UDP checksums.',
      extension: true,
      onChange: 'rebuild',
    }),
    'tunnel-offload': choice(['auto', 'enabled', 'disabled'], {
      default: 'auto',
      help: 'Adapter packet-ring: whether the kernel or the card cuts super-frames that leave in a tunnel (Linux 6.17), not wideplane; auto: where none reaches the other side whole.',
      extension: true,
      onChange: 'rebuild',
    }),
    'replay-file': pattern(PATH, {
      help: 'Adapter capture-file: the pcap or pcapng file whose packets are received.',
      extension: true,
      onChange: 'rebuild',
    }),
    'replay-timing': choice(['recorded', 'none'], {
      default: 'recorded',
      help: 'Whether the intervals of the file are kept, or its packets come as fast as they are taken.',
      extension: true,
      onChange: 'rebuild',
    }),
    'replay-delay': integer(
      { min: 0, max: 3600 },
      {
        default: 1,
        help: 'Seconds between the opening of the interface and the first packet of replay-file.',
        extension: true,
        onChange: 'rebuild',
      },
    ),
    'record-file': pattern(PATH, {
      help: 'Adapter capture-file: the pcapng file into which is written what is sent; one that exists is gone on with.',
      extension: true,
      onChange: 'rebuild',
    }),
  },
  check(objects, context) {
    const byDevice = new Map<string, string>();
    for (const object of objects) {
      const { device, adapter, 'address-owner': owner, 'tunnel-offload': tunnelOffload } = object.properties;
      if (tunnelOffload === 'enabled' && adapter !== 'packet-ring') {
        context.error(
          object,
          `Interface (${object.name}): tunnel-offload enabled does not go with adapter ${adapter}.`,
          { property: 'tunnel-offload', value: tunnelOffload, hint: 'Only adapter packet-ring has it.' },
        );
      }
      const files = FILE_PROPERTIES.filter((name) => object.properties[name] !== undefined);
      if (adapter === 'capture-file') {
        if (device !== undefined) {
          context.error(
            object,
            `Interface (${object.name}): adapter capture-file has no device, but it is ${device}.`,
            {
              property: 'device',
              value: device,
              hint: `Name files: modify net interface ${object.name} device none replay-file /path/of.pcapng`,
            },
          );
        }
        if (files.length === 0) {
          const hint = `Name one: modify net interface ${object.name} replay-file /path/of.pcapng`;
          context.warn(object, `Interface (${object.name}) has neither replay-file nor record-file.`, { hint });
        }
        continue;
      }
      for (const property of files) {
        const value = object.properties[property]!;
        context.error(object, `Interface (${object.name}): ${property} ${value} does not go with adapter ${adapter}.`, {
          property,
          value,
          hint: 'Only adapter capture-file has files.',
        });
      }
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
      for (const property of ['transmit-offloads', 'receive-offloads'] as const) {
        const value = object.properties[property];
        if (value === 'keep' || (value === 'off' ? ownsDevice(adapter) : adapter === 'packet-ring')) continue;
        const hint =
          value === 'off'
            ? `Leave ${property} out: wideplane does not take this device over.`
            : 'Only adapter packet-ring is told of what came joined.';
        context.error(object, `Interface (${object.name}): ${property} ${value} does not go with adapter ${adapter}.`, {
          property,
          value,
          hint,
        });
      }
      const wanted = usesHostStack(adapter) ? 'host' : 'wideplane';
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
