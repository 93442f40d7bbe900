// time-out: 600 s
// The underlay through raw IP sockets, over veth pairs: in both forms, by the addon and by the package raw-socket; the peer is
// a kernel's raw socket in another namespace.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it, test } from 'node:test';
import { parseAddress } from '../../src/core/address.ts';
import { DROP_NAMES } from '../../src/core/drop-reason.ts';
import { loadAddon } from '../../src/native/addon.ts';
import { Arena, ArenaAllocator } from '../../src/packet/arena.ts';
import { finishUnannouncedOffloads } from '../../src/packet/complete-checksum.ts';
import { type Frame, FrameBatch, Gso, HEADROOM_OCTETS } from '../../src/packet/frame.ts';
import type { Port } from '../../src/port/port.ts';
import { openRawIp, RawIpPort, releaseRawIp } from '../../src/port/raw-ip.ts';
import { openRawSocket, RawSocketPort, releaseRawSocket } from '../../src/port/raw-socket-port.ts';
import { addVeth, ip, python, run } from '../lib/namespace.ts';
import { numbered, numberOf, PacketPeer } from '../lib/packet-peer.ts';
import { transportFrame, type TransportFields } from '../support/transport-frames.ts';
import { type Harness, octetsOf, placeFrame, portSuite, receiveAll } from './port-suite.ts';

const loaded = loadAddon();
assert.ok(loaded.addon !== undefined, loaded.addon === undefined ? loaded.reason : '');
const { addon } = loaded;
const ARENA_OCTETS = 2 ** 30;
const arenaHandle = addon.arenaCreate(ARENA_OCTETS);
const arena = new Arena(addon.arenaBuffer(arenaHandle));
const allocator = new ArenaAllocator(ARENA_OCTETS);
const now = (): number => performance.now();
const NONE = new Uint8Array(0);
// This process's namespace by a name of its own: where the files of its devices are.
const HERE = 'here';
ip(`netns attach ${HERE} ${process.pid}`);
const GRE = 47;
const ETHERIP = 97;

const SEGMENT: TransportFields = {
  family: 4,
  protocol: 'tcp',
  tags: [],
  ipOptions: NONE,
  identification: 0,
  sequence: 0,
  flags: 0x10,
  tcpOptions: NONE,
  payload: NONE,
  checksum: 'complete',
};

type Form = 'addon' | 'raw-socket';
type Options = { family: 4 | 6; local: string; device: string; mtu: number; protocol?: number; group?: boolean };
type Opened = { port: Port & { setUp(isUp: boolean): void }; release: () => void };

let arrivals = 0;
let nextIndex = 1;
const open = (form: Form, { family, local, device, mtu, protocol = GRE, group = false }: Options): Opened => {
  const options = { index: nextIndex++, name: 'underlay', protocol, localAddress: local, isGroup: group, mtu };
  if (form === 'addon') {
    const description = openRawIp(addon, arenaHandle, allocator, { ...options, family, multicastDevice: device });
    const port = new RawIpPort(addon, structuredClone(description), now);
    return { port, release: () => releaseRawIp(allocator, description) };
  }
  const deviceIndex = addon.deviceQuery(device).index;
  const arrived = (): void => void (arrivals += 1);
  const description = openRawSocket(allocator, { ...options, device, deviceIndex, arrived });
  const port = new RawSocketPort(arena, description, now);
  return { port, release: () => releaseRawSocket(allocator, description) };
};
const close = ({ port, release }: Opened): void => {
  port.close();
  release();
};

const backlogDrops = (): number =>
  readFileSync('/proc/net/softnet_stat', 'utf8')
    .trim()
    .split('\n')
    .reduce((sum, line) => sum + Number.parseInt(line.split(/\s+/)[1]!, 16), 0);

/** Sends to an address. */
function aim(frame: Frame, text: string): void {
  [frame.outer0, frame.outer1, frame.outer2, frame.outer3] = parseAddress(text)!.words;
}

let pairs = 0;
/** A veth pair with addresses of the family, and a peer at its other end. */
async function connect(family: 4 | 6, mtu: number, protocol = GRE) {
  const id = pairs++;
  const [here, there, namespace] = [`here${id}`, `there${id}`, `peer${id}`];
  addVeth(here, there, namespace, mtu);
  const [local, remote, length, flag] =
    family === 4 ? [`10.9.${id}.1`, `10.9.${id}.2`, 24, ''] : [`fd00:9:${id}::1`, `fd00:9:${id}::2`, 64, ' nodad'];
  if (family === 6) {
    run('sysctl', '-qw', `net.ipv6.conf.${here}.disable_ipv6=0`);
    ip(`netns exec ${namespace} sysctl -qw net.ipv6.conf.${there}.disable_ipv6=0`);
  }
  ip(`address add ${local}/${length} dev ${here}${flag}`);
  ip(`-n ${namespace} address add ${remote}/${length} dev ${there}${flag}`);
  const peer = new PacketPeer(namespace, 'raw', remote, String(protocol));
  await peer.ready;
  return { here, there, namespace, local, remote, peer };
}

function suiteOf(name: string, form: Form, family: 4 | 6, mtu: number, protocol = GRE): void {
  const maximum = mtu - (family === 4 ? 20 : 40);
  let options: Options | undefined;
  portSuite({
    name,
    open: async (): Promise<Harness> => {
      const { peer, local, remote, here } = await connect(family, mtu, protocol);
      options = { family, local, device: here, mtu, protocol };
      const { port, release } = open(form, options);
      return {
        port,
        arena,
        allocator,
        prefix: NONE,
        send: (first, count, octets) => peer.send({ first, count, octets, to: local }),
        collect: async (count, seconds) => (await peer.receive(count, seconds)).map(({ octets }) => octets),
        address: (frame) => aim(frame, remote),
        setLink: (up) => {
          ip(`link set dev ${here} ${up ? 'up' : 'down'}`);
          if (up && family === 6) ip(`address replace ${local}/64 dev ${here} nodad`);
          port.setUp(up);
          return Promise.resolve();
        },
        lostOnTheWay: backlogDrops,
        release: async () => {
          release();
          await peer.close();
        },
      };
    },
    cycle: () => close(open(form, { ...options!, protocol: protocol + 1 })),
    sizes: [4, 64, 128, 1000, maximum],
    tooLong: maximum + 1,
    flood: 40_000,
  });
}

suiteOf('raw IP, IPv4', 'addon', 4, 1500);
suiteOf('raw IP, IPv4, EtherIP', 'addon', 4, 1500, ETHERIP);
suiteOf('raw IP, IPv4, MTU 9216', 'addon', 4, 9216);
suiteOf('raw IP, IPv6', 'addon', 6, 1500);
suiteOf('raw IP by raw-socket, IPv4', 'raw-socket', 4, 1500);
suiteOf('raw IP by raw-socket, IPv4, EtherIP', 'raw-socket', 4, 1500, ETHERIP);

const EXAMPLES = [
  { form: 'addon', family: 4 },
  { form: 'addon', family: 6 },
  { form: 'raw-socket', family: 4 },
] as const;

for (const { form, family } of EXAMPLES) {
  describe(`what a raw IP port does beyond the contract, by ${form}, IPv${family}`, () => {
    let link: Awaited<ReturnType<typeof connect>>;
    let opened: Opened;
    let scratch: number;
    before(async () => {
      link = await connect(family, 1500);
      opened = open(form, { family, local: link.local, device: link.here, mtu: 1500 });
      scratch = allocator.allocate(4 << 20)!;
    });
    after(async () => {
      close(opened);
      await link.peer.close();
    });

    it('says who sent a packet and by which TOS', async () => {
      for (const tos of [0, 0x03, 0xb9]) {
        const program = `
import socket, sys
family = socket.AF_INET6 if ':' in '${link.local}' else socket.AF_INET
s = socket.socket(family, socket.SOCK_RAW, ${GRE})
if family == socket.AF_INET: s.setsockopt(socket.SOL_IP, socket.IP_TOS, ${tos})
else: s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, ${tos})
s.sendto(b'hello', ('${link.local}', 0))
`;
        const seen: string[] = [];
        const done = python(link.namespace, program);
        await receiveAll(
          opened.port,
          1,
          ({ frames, length }) => {
            for (let index = 0; index < length; index++) {
              const { outer0, outer1, outer2, outer3, outerTos, outerPort } = frames[index]!;
              assert.deepEqual([outer0, outer1, outer2, outer3], [...parseAddress(link.remote)!.words]);
              assert.equal(outerPort, 0);
              seen.push(`${Buffer.from(octetsOf(arena, frames[index]!)).toString()} ${outerTos}`);
            }
          },
          5000,
        );
        await done;
        assert.deepEqual(seen, [`hello ${tos}`]);
      }
    });

    it('sends with the TOS of each frame', async () => {
      const batch = new FrameBatch();
      const all = [0, 0x03, 0xb9, 0xb9, 0];
      for (const [index, tos] of all.entries()) {
        const frame = placeFrame(arena, scratch + index * 4096, numbered(NONE, index, 50));
        aim(frame, link.remote);
        frame.outerTos = tos;
        batch.push(frame);
      }
      opened.port.transmit(batch, (_, why) => assert.fail(DROP_NAMES[why]));
      assert.deepEqual(
        (await link.peer.receive(all.length)).map(({ tos }) => tos),
        all,
      );
    });

    it('gets no packet of another protocol, and none that was sent to another address of the host', async () => {
      const other = family === 4 ? link.local.replace(/\.1$/, '.9') : link.local.replace(/1$/, '9');
      ip(`address add ${other}/${family === 4 ? 24 : 64} dev ${link.here}${family === 4 ? '' : ' nodad'}`);
      await link.peer.send({ first: 100, count: 3, octets: 50, to: other });
      const stranger = new PacketPeer(link.namespace, 'raw', link.remote, String(GRE + 1));
      await stranger.ready;
      await stranger.send({ first: 200, count: 3, octets: 50, to: link.local });
      await link.peer.send({ first: 300, count: 3, octets: 50, to: link.local });
      const seen: number[] = [];
      await receiveAll(opened.port, 9, ({ frames, length }) => {
        for (let index = 0; index < length; index++) seen.push(numberOf(octetsOf(arena, frames[index]!), 0));
      });
      assert.deepEqual(seen, [300, 301, 302]);
      await stranger.close();
    });

    it('names what the kernel refuses: no route, and what is larger than the link of its way', async () => {
      const batch = new FrameBatch();
      const nowhere = family === 4 ? '203.0.113.1' : '2001:db8::1';
      for (const [index, [to, octets]] of (
        [
          [nowhere, 100],
          [link.remote, 1400],
          [link.remote, 100],
        ] as const
      ).entries()) {
        const frame = placeFrame(arena, scratch + index * 4096, numbered(NONE, index, octets));
        aim(frame, to);
        batch.push(frame);
      }
      // The port was told of 1500 octets: only the kernel knows better.
      ip(`link set dev ${link.here} mtu 1300`);
      const refused: string[] = [];
      opened.port.transmit(batch, (_, why) => refused.push(DROP_NAMES[why]!));
      ip(`link set dev ${link.here} mtu 1500`);
      assert.deepEqual(refused, ['no-route', 'transmit-too-long']);
      assert.deepEqual(
        (await link.peer.receive(1)).map(({ octets }) => octets.length),
        [100],
      );
    });

    it('survives that the other end has nobody to receive it', async () => {
      await link.peer.close();
      const batch = new FrameBatch();
      const frame = placeFrame(arena, scratch, numbered(NONE, 0, 50));
      aim(frame, link.remote);
      batch.push(frame);
      // Each is answered by an ICMP error: protocol unreachable, parameter problem.
      for (let round = 0; round < 20; round++) {
        opened.port.transmit(batch, (_, why) => assert.fail(DROP_NAMES[why]));
        await new Promise((resolve) => setTimeout(resolve, 5));
        assert.equal(opened.port.receive(new FrameBatch()), 0);
      }
      link.peer = new PacketPeer(link.namespace, 'raw', link.remote, String(GRE));
      await link.peer.ready;
      opened.port.transmit(batch, (_, why) => assert.fail(DROP_NAMES[why]));
      assert.equal((await link.peer.receive(1)).length, 1);
    });

    if (family === 4) {
      it('receives what is sent to a multicast group on its device', async () => {
        const group = '239.1.2.3';
        const receiver = open(form, { family, local: group, device: link.here, mtu: 1500, group: true });
        ip(`-n ${link.namespace} route add 239.0.0.0/8 dev ${link.there}`);
        await link.peer.send({ first: 5, count: 2, octets: 60, to: group });
        const seen: number[] = [];
        await receiveAll(receiver.port, 2, ({ frames, length }) => {
          for (let index = 0; index < length; index++) seen.push(numberOf(octetsOf(arena, frames[index]!), 0));
        });
        assert.deepEqual(seen, [5, 6]);
        assert.equal(opened.port.receive(new FrameBatch()), 0);
        close(receiver);
      });
    }
  });
}

test('a frame without headroom of its own is sent, by raw-socket', async () => {
  const link = await connect(4, 1500);
  const opened = open('raw-socket', { family: 4, local: link.local, device: link.here, mtu: 1500 });
  const at = allocator.allocate(4096)!;
  const batch = new FrameBatch();
  const frame = placeFrame(arena, at, numbered(NONE, 7, 200));
  frame.headroomStart = frame.start;
  arena.bytes.fill(0xee, at, frame.start);
  aim(frame, link.remote);
  batch.push(frame);
  opened.port.transmit(batch, (_, why) => assert.fail(DROP_NAMES[why]));
  assert.deepEqual((await link.peer.receive(1))[0]?.octets, numbered(NONE, 7, 200));
  assert.ok(arena.bytes.subarray(at, frame.start).every((octet) => octet === 0xee));
  close(opened);
  await link.peer.close();
});

test('the package tells when packets have come', async () => {
  const link = await connect(4, 1500);
  const opened = open('raw-socket', { family: 4, local: link.local, device: link.here, mtu: 1500 });
  const before = arrivals;
  await link.peer.send({ first: 0, count: 1, octets: 100, to: link.local });
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.ok(arrivals > before);
  assert.equal(opened.port.receive(new FrameBatch()), 1);
  close(opened);
  await link.peer.close();
});

for (const form of ['addon', 'raw-socket'] as const) {
  test(`what the kernel joins behind a tunnel header is recognised as a super-frame, by ${form}`, async (t) => {
    const link = await connect(4, 1500);
    t.after(() => link.peer.close());
    run('ethtool', '-K', link.here, 'gro', 'on');
    // What comes within 20 ms is joined, rather than within one poll of the device.
    const settings = `/sys/class/net/${link.here}`;
    const program = `echo 20000000 >${settings}/gro_flush_timeout; echo 5 >${settings}/napi_defer_hard_irqs`;
    run('ip', 'netns', 'exec', HERE, 'sh', '-c', program);
    // A veth pair joins nothing of a sender whose device says that it cuts super-frames itself.
    ip(`netns exec ${link.namespace} ethtool -K ${link.there} tso off`);
    const opened = open(form, { family: 4, local: link.local, device: link.here, mtu: 1500 });
    t.after(() => close(opened));
    const header = Uint8Array.from([0x20, 0, 0x65, 0x58, 0, 0, 0, 9]);
    const sent = Array.from({ length: 30 }, (_, index) => {
      const fields = {
        ...SEGMENT,
        identification: index,
        sequence: 1000 * index,
        payload: new Uint8Array(1000).fill(index),
      };
      return Uint8Array.from([...header, ...transportFrame(fields).octets]);
    });
    const payloads = sent.map((octets) => octets.subarray(8 + 54));
    let joined = 0;
    for (let round = 0; round < 50 && joined === 0; round++) {
      await link.peer.sendOctets(sent, link.local);
      const got: Uint8Array[] = [];
      await receiveAll(
        opened.port,
        30,
        ({ frames, length }) => {
          for (let index = 0; index < length; index++) {
            const frame = frames[index]!;
            assert.deepEqual(octetsOf(arena, frame).subarray(0, 8), header);
            frame.start += 8;
            const octets = frame.end - frame.start;
            finishUnannouncedOffloads(arena, frame, 1040, 1054);
            if (octets > 1054) {
              joined += 1;
              assert.equal(frame.gsoType, Gso.tcp4);
              assert.equal(frame.gsoSize, 1000);
            } else {
              assert.equal(frame.gsoType, Gso.none);
            }
            got.push(octetsOf(arena, frame).subarray(54));
          }
        },
        100,
      );
      assert.deepEqual(Buffer.concat(got), Buffer.concat(payloads));
    }
    assert.ok(joined > 0, 'the kernel joined nothing: this test proves nothing');
  });
}

test('both forms carry the same packets', async () => {
  const link = await connect(4, 1500);
  const options = { family: 4, local: link.local, device: link.here, mtu: 1500 } as const;
  const forms = [open('addon', options), open('raw-socket', options)];
  const scratch = allocator.allocate(1 << 20)!;
  const seenBy = async ({ port }: Opened): Promise<string[]> => {
    const seen: string[] = [];
    await receiveAll(port, 200, ({ frames, length }) => {
      for (let index = 0; index < length; index++) {
        const frame = frames[index]!;
        assert.ok(frame.start - frame.headroomStart >= HEADROOM_OCTETS);
        assert.equal(frame.start & 3, 2);
        const { outer3, outerTos } = frame;
        seen.push(`${outer3} ${outerTos} ${Buffer.from(octetsOf(arena, frame)).toString('hex')}`);
      }
    });
    return seen;
  };
  // The kernel hands each packet to both sockets.
  for (let size = 0; size < 100; size++)
    await link.peer.send({ first: size, count: 2, octets: 4 + size * 14, to: link.local });
  const [byAddon, byPackage] = await Promise.all(forms.map(seenBy));
  assert.equal(byAddon!.length, 200);
  assert.deepEqual(byPackage, byAddon);

  const sentBy = async ({ port }: Opened): Promise<unknown> => {
    const batch = new FrameBatch();
    for (let index = 0; index < 100; index++) {
      const frame = placeFrame(arena, scratch + index * 4096, numbered(NONE, index, 4 + index * 14));
      aim(frame, link.remote);
      frame.outerTos = index;
      batch.push(frame);
    }
    port.transmit(batch, (_, why) => assert.fail(DROP_NAMES[why]));
    return link.peer.receive(100);
  };
  assert.deepEqual(await sentBy(forms[1]!), await sentBy(forms[0]!));
  allocator.release(scratch, 1 << 20);
  for (const form of forms) close(form);
  await link.peer.close();
});

test('an address that is not the host’s, or of a family that the form cannot carry, is refused by its name', () => {
  const { device, mtu } = { device: 'lo', mtu: 1500 };
  const free = allocator.allocate(ARENA_OCTETS / 4)!;
  allocator.release(free, ARENA_OCTETS / 4);
  assert.throws(() => open('addon', { family: 4, local: '192.0.2.77', device, mtu }), {
    code: 'EADDRNOTAVAIL',
    message: /192\.0\.2\.77/,
  });
  assert.throws(() => open('raw-socket', { family: 6, local: '::1', device, mtu }), /::1: .* IPv6 only with the addon/);
  assert.equal(allocator.allocate(ARENA_OCTETS / 4), free);
  allocator.release(free, ARENA_OCTETS / 4);
});
