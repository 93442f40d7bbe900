// What meets which policy, and what becomes of packets that are not what they should be: each has a counter of its own.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Capture, readFields, readFrames } from './harness/capture.ts';
import { dropsOf, dropsSince, HOST, ipsec, IpsecPair, type IpsecSetup, type Side } from './harness/ipsec-pair.ts';
import { makeDirectory } from './harness/namespace.ts';
import { ethernetIpv4, sendRaw } from './harness/packets.ts';
import { ping, reach } from './harness/traffic.ts';
import { delay, waitFor } from './harness/wait.ts';

const SETUP: IpsecSetup = {
  auth: 'aes-gcm128',
  encrypt: 'aes-gcm128',
  encryptKeys: {
    a: '0x0102030405060708090a0b0c0d0e0f10aabbccdd',
    b: '0x1112131415161718191a1b1c1d1e1f20eeff0011',
  },
  association: 'replay-window-size 64',
};
const PORT = { bypass: 7001, discard: 7002, protect: 7003 } as const;
const REPEATS = 3;
const ETHERNET_OCTETS = 14;
const ESP_AT = ETHERNET_OCTETS + 20;
const SELECTOR = 'net ipsec traffic-selector';

/** In front of the selectors that protect: one port passes, one is dropped. */
const exceptions = (side: Side): string =>
  (['bypass', 'discard'] as const)
    .map((action, order) => {
      const [from, to] = side === 'a' ? ['10.1.0.0/16', '10.2.0.0/16'] : ['10.2.0.0/16', '10.1.0.0/16'];
      const ports = side === 'a' ? `destination-port ${PORT[action]}` : `source-port ${PORT[action]}`;
      return `
net ipsec traffic-selector ts-${action} {
    source-address ${from} destination-address ${to} ip-protocol udp ${ports} direction both action ${action}
    ipsec-policy p-out order ${order}
}`;
    })
    .join('');

const SEND_UDP = `
import socket, sys
port = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(int(sys.argv[3])):
    port.sendto(b'x' * 100, (sys.argv[1], int(sys.argv[2])))
`;

describe('policies of IPsec', () => {
  let pair: IpsecPair;
  let wan: string;
  let wanCapture: Capture;

  before(async () => {
    pair = await IpsecPair.start((side) => ipsec(side, SETUP) + exceptions(side));
    await reach(pair.hosts.a, HOST.b);
    wan = `${makeDirectory('capture')}/wan.pcap`;
    wanCapture = await Capture.start(pair.sites.b, 'e0', wan, { direction: 'in' });
  });

  after(async () => {
    await wanCapture.stop();
    await pair.stop();
  });

  const sendUdp = (port: number): Promise<unknown> =>
    pair.hosts.a.run(['/usr/bin/python3', '-c', SEND_UDP, HOST.b, String(port), String(REPEATS)]);

  /** Does something and expects these drops of `side`, and no others. */
  const expectDrops = async (
    side: Side,
    expected: Record<string, number>,
    act: () => Promise<unknown>,
  ): Promise<void> => {
    const wideplane = pair.wideplanes[side];
    const first = await dropsOf(wideplane);
    await act();
    const grown = async (): Promise<Record<string, number>> => dropsSince(first, await dropsOf(wideplane));
    const [reason, count] = Object.entries(expected)[0]!;
    await waitFor(
      `${reason} grows by ${count}`,
      3,
      async () => ((await grown())[reason] ?? 0) >= count,
      async () => JSON.stringify(await grown()),
    );
    await delay(300);
    assert.deepEqual(await grown(), expected);
  };

  /** A frame of ESP from a to b that b has taken, the last so far. */
  const takenFrame = async (): Promise<Buffer> => {
    const seen = readFrames(wan).length;
    await reach(pair.hosts.a, HOST.b);
    return waitFor('ESP is captured', 3, () => {
      const frames = readFrames(wan);
      return frames.length > seen && frames.findLast((frame) => frame[ETHERNET_OCTETS + 9] === 50);
    });
  };

  /** Copies of a taken frame, changed, the sequence number moved on by `ahead` and more. */
  const forged = async (
    ahead: number,
    change: (esp: Buffer, index: number) => void = () => undefined,
  ): Promise<void> => {
    const taken = await takenFrame();
    const frames = Array.from({ length: REPEATS }, (_, index) => {
      const frame = Buffer.from(taken);
      const esp = frame.subarray(ESP_AT);
      if (ahead > 0) esp.writeUInt32BE(esp.readUInt32BE(4) + ahead + index, 4);
      change(esp, index);
      return frame;
    });
    await sendRaw(pair.sites.a, 'e0', frames);
  };

  it('bypass lets pass in the clear, protect seals, by order and port', async () => {
    const sniffer = await Capture.start(pair.hosts.b, 'e0', `${makeDirectory('capture')}/b.pcap`, { filter: 'udp' });
    await sendUdp(PORT.bypass);
    await sendUdp(PORT.protect);
    await sniffer.stop(2 * REPEATS);
    const ports = await readFields(sniffer.file, 'udp', ['udp.dstport']);
    assert.deepEqual(ports.flat(), [...repeated(PORT.bypass), ...repeated(PORT.protect)]);
    const clear = await readFields(wan, 'udp', ['udp.dstport']);
    assert.deepEqual(clear.flat(), repeated(PORT.bypass));
  });

  it('discard drops what leaves, and charges it to the selector', async () => {
    await expectDrops('a', { 'ipsec-policy-discard': REPEATS }, () => sendUdp(PORT.discard));
    const [row] = await pair.wideplanes.a.show(SELECTOR, 'ts-discard');
    assert.deepEqual(row!.drops, { 'ipsec-policy-discard': REPEATS });
    assert.match(await pair.wideplanes.a.tmsh(`show ${SELECTOR} ts-discard`), /ipsec-policy-discard +3\b/);
  });

  it('discard drops what comes in; what should have been protected is required to be', async () => {
    const inClear = async (port: number): Promise<void> => {
      const [to, from] = [await pair.sites.b.mac('e0'), await pair.sites.a.mac('e0')];
      const udp = Buffer.alloc(8 + 32);
      udp.writeUInt16BE(1024, 0);
      udp.writeUInt16BE(port, 2);
      udp.writeUInt16BE(udp.length, 4);
      const frame = ethernetIpv4(to, from, HOST.a, HOST.b, 17, udp);
      await sendRaw(pair.sites.a, 'e0', Array<Buffer>(REPEATS).fill(frame));
    };
    await expectDrops('b', { 'ipsec-policy-discard': REPEATS }, () => inClear(PORT.discard));
    await expectDrops('b', { 'ipsec-policy-required': REPEATS }, () => inClear(PORT.protect));
  });

  it('a packet that came before, and one that came too late', async () => {
    await expectDrops('b', { 'ipsec-replayed': REPEATS }, () => forged(0));
    const taken = await takenFrame();
    await ping(pair.hosts.a, HOST.b, { count: 80, intervalSeconds: 0.005 });
    await expectDrops('b', { 'ipsec-too-old': 1 }, () => sendRaw(pair.sites.a, 'e0', [taken]));
  });

  it('a wrong SPI', () =>
    expectDrops('b', { 'ipsec-unknown-spi': REPEATS }, () => forged(0, (esp) => esp.writeUInt32BE(0xabcdef, 0))));

  it('a changed sequence number, IV, octet inside, ICV: the ICV is wrong, and the replay window does not move', async () => {
    await expectDrops('b', { 'ipsec-icv-invalid': REPEATS }, () => forged(1000));
    for (const [what, at] of [
      ['IV', 8],
      ['inside', 20],
      ['ICV', -1],
    ] as const) {
      const flip = (esp: Buffer, index: number): void => {
        const place = at < 0 ? esp.length + at : at;
        esp[place]! ^= 1 << index;
      };
      await expectDrops('b', { 'ipsec-icv-invalid': REPEATS }, () => forged(10, flip)).catch((error: unknown) => {
        throw new Error(what, { cause: error });
      });
    }
    await expectDrops('b', { 'ipsec-replayed': REPEATS }, () => forged(0));
  });

  it('one that is cut short', async () => {
    const short = async (octets: number): Promise<void> => {
      const taken = await takenFrame();
      const [to, from] = [await pair.sites.b.mac('e0'), await pair.sites.a.mac('e0')];
      const esp = Buffer.from(taken.subarray(ESP_AT, ESP_AT + octets));
      if (octets >= 8) esp.writeUInt32BE(esp.readUInt32BE(4) + 5, 4);
      const frame = ethernetIpv4(to, from, '192.0.2.1', '192.0.2.2', 50, esp);
      await sendRaw(pair.sites.a, 'e0', Array<Buffer>(REPEATS).fill(frame));
    };
    for (const octets of [4, 8, 16, 32]) await expectDrops('b', { 'ipsec-too-short': REPEATS }, () => short(octets));
    await expectDrops('b', { 'ipsec-icv-invalid': REPEATS }, () => short(64));
  });

  it('protected by the wrong policy', async () => {
    const { b } = pair.wideplanes;
    const pings = (): Promise<unknown> => ping(pair.hosts.a, HOST.b, { count: REPEATS, waitSeconds: 1 });
    await b.tmsh(`modify ${SELECTOR} ts-in source-address 10.9.0.0/16`);
    await expectDrops('b', { 'ipsec-policy-mismatch': REPEATS }, pings);
    await b.tmsh(`modify ${SELECTOR} ts-in source-address 10.1.0.0/16`);
    await reach(pair.hosts.a, HOST.b);
  });

  it('another key', async () => {
    const { b } = pair.wideplanes;
    const keyOf = (text: string): Promise<string> =>
      b.tmsh(`modify net ipsec manual-security-association sa-in encrypt-key ${text}`);
    await keyOf(`0x${'99'.repeat(20)}`);
    const pings = (): Promise<unknown> => ping(pair.hosts.a, HOST.b, { count: REPEATS, waitSeconds: 1 });
    await expectDrops('b', { 'ipsec-icv-invalid': REPEATS }, pings);
    await keyOf(SETUP.encryptKeys!.a);
    await reach(pair.hosts.a, HOST.b);
  });

  it('a policy without an association to send by', async () => {
    const { a } = pair.wideplanes;
    const list = await a.tmsh('list net ipsec manual-security-association sa-out');
    await a.tmsh('delete net ipsec manual-security-association sa-out');
    await expectDrops('a', { 'ipsec-no-sa': REPEATS }, () => sendUdp(PORT.protect));
    assert.match(list, /encrypt-key/);
  });

  it('all of that leaves nothing in the clear but what may', async () => {
    assert.deepEqual(await readFields(wan, 'icmp || tcp', ['frame.number']), []);
  });
});

const repeated = (port: number): string[] => Array<string>(REPEATS).fill(String(port));
