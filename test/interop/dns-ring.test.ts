// An address with a packet ring for questions: everything else that is sent to it goes on as before, by the kernel, and frames that
// are not as they should be are answered by whom they were answered before, or by nobody. scapy makes them.

import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { StreamEngine } from '../../src/assembly/dnsd/stream-engine.ts';
import { createQueryLog } from '../../src/assembly/dnsd/query-log.ts';
import { RingEngine } from '../../src/assembly/dnsd/ring-engine.ts';
import { answerSources } from '../../src/dns/answer-sources.ts';
import { FrameOutcome } from '../../src/dns/frame-reply.ts';
import { Responder } from '../../src/dns/responder.ts';
import { buildZoneTable } from '../../src/dns/zone-builder.ts';
import { zonesAlone } from '../../src/assembly/dnsd/source-data.ts';
import { loadAddon } from '../../src/native/addon.ts';
import { openServerSocket } from '../../src/net/server-socket.ts';
import { ZoneSet } from '../../src/dns/zone-set.ts';
import type { ZoneTable } from '../../src/dns/zone-table.ts';
import { eventually, ip, python, run, spawnIn } from '../lib/namespace.ts';
import {
  askFromClient,
  CLIENT,
  makePair,
  makeRules,
  FORMS,
  rulesOf,
  startRing,
  startSockets,
} from '../support/dns-ring.ts';
import type { OneListener } from '../support/dns-engine.ts';
import { linesOf, queryOf, type TestRecord, zoneOf } from '../support/dns.ts';

const soa = {
  mname: 'ns.example.com',
  rname: 'h.example.com',
  serial: 1,
  refresh: 1,
  retry: 1,
  expire: 1,
  minimum: 60,
};
const addressesOf = (name: string, length: number): TestRecord[] =>
  Array.from({ length }, (_, host) => ({ type: 'A', name, ttl: 60, data: `198.51.100.${host}` }));

const zoneWith = (address: string): ZoneTable =>
  buildZoneTable(
    zoneOf('example.com', [
      { type: 'SOA', name: 'example.com', ttl: 60, data: soa },
      { type: 'NS', name: 'example.com', ttl: 60, data: 'ns.example.com' },
      { type: 'A', name: 'www.example.com', ttl: 60, data: address },
      ...addressesOf('many.example.com', 200),
      ...addressesOf('some.example.com', 50),
    ]),
  );
const tables = [zoneWith('192.0.2.80')];
const responding = { unhandled: 'reject', udpOctets: 1232, cookieKey: new Uint8Array(16).fill(7) } as const;

const rules = makeRules();
let sockets: OneListener[] = [];
let ring: RingEngine | undefined;
let died: string | undefined;
let stream: StreamEngine | undefined;

const sum = (counts: Float64Array): number => counts.reduce((total, count) => total + count, 0);
const bySockets = (): number => sockets.reduce((total, { outcomes }) => total + sum(outcomes), 0);
const byRing = (): number => sum(ring!.frameCounts);

/** How many messages were taken by sockets and by the ring meanwhile. */
async function taken(action: () => unknown): Promise<{ sockets: number; ring: number }> {
  const [socketsBefore, ringBefore] = [bySockets(), byRing()];
  await action();
  // Counts are handed over behind the batch.
  await new Promise((resolve) => setTimeout(resolve, 50));
  return { sockets: bySockets() - socketsBefore, ring: byRing() - ringBefore };
}

const inClient = (command: string, ...args: string[]): string =>
  execFileSync('ip', ['netns', 'exec', CLIENT, command, ...args], { encoding: 'utf8' });
const dig = (...args: string[]): string => inClient('dig', '+time=3', '+tries=1', ...args);

before(async () => {
  makePair();
  sockets = await startSockets(responding, tables);
  const { addon } = loadAddon();
  stream = new StreamEngine(new Responder(answerSources(new ZoneSet(tables)), responding), {
    descriptor: openServerSocket(addon!, { address: '192.0.2.1', port: 53, isStream: true, isShared: false }),
    limits: { maxConnections: 10, idleMs: 5000 },
    defer: () => assert.fail('nothing is left to others'),
  });
  await stream.listen();
});
after(async () => {
  await stream?.close();
  for (const engine of sockets) await engine.stop();
});

type OddFrame = {
  name: string;
  /** The frame, as scapy has it; `e4`, `e6`, `i4`, `i6`, `u` and `q` are good headers and a good question. */
  frame: string;
  /** Who takes it, and how many replies there are; `lost`: the ring, which leaves it for this reason. */
  by: 'ring' | 'sockets' | 'nobody' | keyof typeof FrameOutcome;
};

const ODD: readonly OddFrame[] = [
  { name: 'a good one', frame: 'e4/i4/u/q', by: 'ring' },
  { name: 'a good one, IPv6', frame: 'e6/i6/u/q', by: 'ring' },
  { name: 'no UDP checksum', frame: 'e4/i4/UDP(sport=4000,dport=53,chksum=0)/q', by: 'ring' },
  { name: 'no UDP checksum, IPv6', frame: 'e6/i6/UDP(sport=4000,dport=53,chksum=0)/q', by: 'checksumInvalid' },
  { name: 'a wrong UDP checksum', frame: 'e4/i4/UDP(sport=4000,dport=53,chksum=1)/q', by: 'checksumInvalid' },
  { name: 'a wrong UDP checksum, IPv6', frame: 'e6/i6/UDP(sport=4000,dport=53,chksum=1)/q', by: 'checksumInvalid' },
  { name: 'a wrong IP checksum', frame: 'e4/IP(src=c4,dst=s4,chksum=1)/u/q', by: 'checksumInvalid' },
  { name: 'padding behind the packet', frame: 'e4/i4/u/q/Padding(b"x"*30)', by: 'ring' },
  {
    name: 'octets behind the datagram',
    frame: 'e4/IP(src=c4,dst=s4,len=28+len(q)+9)/UDP(sport=4000,dport=53,len=8+len(q),chksum=0)/q/Raw(b"x"*9)',
    by: 'ring',
  },
  {
    name: 'a UDP length of less than its header',
    frame: 'e4/i4/UDP(sport=4000,dport=53,len=7,chksum=0)/q',
    by: 'headerInvalid',
  },
  { name: 'a UDP length of 0', frame: 'e4/i4/UDP(sport=4000,dport=53,len=0,chksum=0)/q', by: 'headerInvalid' },
  {
    name: 'a UDP length of more than there is',
    frame: 'e4/i4/UDP(sport=4000,dport=53,len=300,chksum=0)/q',
    by: 'headerInvalid',
  },
  {
    name: 'a UDP length of much more than there is',
    frame: 'e4/i4/UDP(sport=4000,dport=53,len=60000,chksum=0)/q',
    by: 'nobody',
  },
  { name: 'an IP length of more than there is', frame: 'e4/IP(src=c4,dst=s4,len=400)/u/q', by: 'headerInvalid' },
  { name: 'an IP length of less than a header', frame: 'e4/IP(src=c4,dst=s4,len=10)/u/q', by: 'headerInvalid' },
  { name: 'an IPv6 length of more than there is', frame: 'e6/IPv6(src=c6,dst=s6,plen=400)/u/q', by: 'headerInvalid' },
  { name: 'an IPv6 length of 0', frame: 'e6/IPv6(src=c6,dst=s6,plen=0)/u/q', by: 'headerInvalid' },
  { name: 'a datagram of no octets', frame: 'e4/i4/UDP(sport=4000,dport=53)', by: 'unanswered' },
  { name: 'IP options', frame: 'e4/IP(src=c4,dst=s4,options=[IPOption_NOP()])/u/q', by: 'sockets' },
  { name: 'an extension header', frame: 'e6/i6/IPv6ExtHdrDestOpt()/u/q', by: 'sockets' },
  { name: 'a header of 16 octets', frame: 'e4/IP(src=c4,dst=s4,ihl=4)/u/q', by: 'nobody' },
  { name: 'IP version 5', frame: 'e4/IP(src=c4,dst=s4,version=5)/u/q', by: 'nobody' },
  { name: 'a first fragment', frame: 'e4/IP(src=c4,dst=s4,flags="MF")/u/q', by: 'nobody' },
  { name: 'a later fragment', frame: 'e4/IP(src=c4,dst=s4,frag=3)/u/q', by: 'nobody' },
  { name: 'a fragment that is the whole', frame: 'e6/i6/IPv6ExtHdrFragment()/u/q', by: 'sockets' },
  { name: 'a tag of a VLAN that is not there', frame: 'Ether(src=cm,dst=sm)/Dot1Q(vlan=7)/i4/u/q', by: 'nobody' },
  { name: 'a tag of no VLAN', frame: 'Ether(src=cm,dst=sm)/Dot1Q(vlan=0)/i4/u/q', by: 'sockets' },
  { name: 'two tags', frame: 'Ether(src=cm,dst=sm)/Dot1AD(vlan=7)/Dot1Q(vlan=8)/i4/u/q', by: 'nobody' },
  { name: 'to the MAC address of somebody else', frame: 'Ether(src=cm,dst="02:00:00:00:00:99")/i4/u/q', by: 'nobody' },
  { name: 'to all stations', frame: 'Ether(src=cm,dst="ff:ff:ff:ff:ff:ff")/i4/u/q', by: 'sockets' },
  { name: 'from a group of stations', frame: 'Ether(src="01:00:5e:00:00:01",dst=sm)/i4/u/q', by: 'sourceInvalid' },
  { name: 'from port 0', frame: 'e4/i4/UDP(sport=0,dport=53)/q', by: 'sourceInvalid' },
  { name: 'from a multicast address', frame: 'e4/IP(src="224.0.0.1",dst=s4)/u/q', by: 'sourceInvalid' },
  { name: 'from all addresses', frame: 'e4/IP(src="255.255.255.255",dst=s4)/u/q', by: 'sourceInvalid' },
  { name: 'from loopback', frame: 'e4/IP(src="127.0.0.1",dst=s4)/u/q', by: 'sourceInvalid' },
  { name: 'from no address', frame: 'e4/IP(src="0.0.0.0",dst=s4)/u/q', by: 'sourceInvalid' },
  { name: 'from ourselves', frame: 'e4/IP(src=s4,dst=s4)/u/q', by: 'sourceInvalid' },
  { name: 'from a multicast address, IPv6', frame: 'e6/IPv6(src="ff02::1",dst=s6)/u/q', by: 'sourceInvalid' },
  { name: 'from no address, IPv6', frame: 'e6/IPv6(src="::",dst=s6)/u/q', by: 'sourceInvalid' },
  { name: 'from loopback, IPv6', frame: 'e6/IPv6(src="::1",dst=s6)/u/q', by: 'sourceInvalid' },
  { name: 'from ourselves, IPv6', frame: 'e6/IPv6(src=s6,dst=s6)/u/q', by: 'sourceInvalid' },
  { name: 'a response', frame: 'e4/i4/u/DNS(id=ID,qr=1,qd=DNSQR(qname="www.example.com"))', by: 'unanswered' },
  { name: 'to another address', frame: 'e4/IP(src=c4,dst="192.0.2.77")/u/q', by: 'nobody' },
  { name: 'to another port', frame: 'e4/i4/UDP(sport=4000,dport=54)/q', by: 'nobody' },
  { name: 'a frame of 14 octets', frame: 'Ether(src=cm,dst=sm,type=0x0800)', by: 'nobody' },
  { name: 'half an IP header', frame: 'Raw(bytes(e4/i4/u/q)[:24])', by: 'nobody' },
  { name: 'half a UDP header', frame: 'Raw(bytes(e4/i4/u/q)[:38])', by: 'nobody' },
  { name: 'half a question', frame: 'Raw(bytes(e4/i4/u/q)[:50])', by: 'headerInvalid' },
];

const SEND = `
import json, sys, time, select
from scapy.all import *
sm, cm, frames = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
c4, s4, c6, s6 = '192.0.2.2', '192.0.2.1', '2001:db8::2', '2001:db8::1'
e4, e6 = Ether(src=cm, dst=sm, type=0x0800), Ether(src=cm, dst=sm, type=0x86dd)
i4, i6, u = IP(src=c4, dst=s4), IPv6(src=c6, dst=s6), UDP(sport=4000, dport=53)
wire = conf.L2socket(iface='cl0')
replies = {}
for ID, text in enumerate(frames):
    q = DNS(id=ID, rd=1, qd=DNSQR(qname='www.example.com', qtype='A'))
    wire.send(eval(text))
    deadline = time.time() + (1.0 if ID < 2 else 0.12)
    while time.time() < deadline:
        ready, _, _ = select.select([wire], [], [], 0.02)
        reply = wire.recv() if ready else None
        if reply is None or not reply.haslayer(UDP) or reply[UDP].sport != 53: continue
        # What is written again with checksums left out has to be the same.
        again = reply.copy()
        for layer in (IP, UDP):
            if again.haslayer(layer): del again[layer].chksum
        replies.setdefault(reply[DNS].id, []).append({
            'isGood': bytes(again) == bytes(reply) and reply[Ether].dst == cm and reply[Ether].src == sm,
            'hops': reply[IP].ttl if reply.haslayer(IP) else reply[IPv6].hlim,
            'address': reply[DNS].an[0].rdata if reply[DNS].ancount else ''})
        if ID < 2: break
print(json.dumps(replies))
`;

for (const form of FORMS) {
  describe(`an address whose questions are taken by ${form}`, () => {
    const end = async (): Promise<void> => {
      await rules.set('dnsd', []);
      await ring?.stop();
    };
    before(async () => {
      ring = await startRing(form, responding, tables, { died: (reason) => (died = reason) });
      await rules.set('dnsd', rulesOf(form));
    });
    after(end);

    for (const address of ['192.0.2.1', '2001:db8::1']) {
      it(`is asked by dig and by kdig: ${address}`, async () => {
        const counts = await taken(() => {
          const text = dig(`@${address}`, 'www.example.com', 'A', '+cookie');
          assert.match(text, /COOKIE: [0-9a-f]{48} \(good\)/);
          assert.match(text, /www\.example\.com\.\s+60\s+IN\s+A\s+192\.0\.2\.80/);
          const kdig = inClient('kdig', '+timeout=3', '+retry=0', `@${address}`, 'nobody.example.com', 'AAAA');
          assert.match(kdig, /status: NXDOMAIN/);
        });
        assert.deepEqual(counts, { sockets: 0, ring: 2 });
      });

      it(`answers echo requests: ${address}`, () => {
        assert.match(inClient('ping', '-c', '2', '-i', '0.2', '-W', '2', address), /2 received/);
      });

      it(`leaves fragments to the engine on sockets: ${address}`, async () => {
        const query = Buffer.from(queryOf({ name: 'www.example.com', type: 'A', edns: {} }));
        const padding = Buffer.alloc(2500);
        padding.writeUInt16BE(12, 0);
        padding.writeUInt16BE(padding.length - 4, 2);
        query.writeUInt16BE(padding.length, query.length - 2);
        const counts = await taken(async () => {
          const [[answer]] = (await askFromClient(address, [Buffer.concat([query, padding])])) as [[string]];
          assert.match(linesOf(Buffer.from(answer, 'hex'))[1]!, /192\.0\.2\.80/);
        });
        assert.deepEqual(counts, { sockets: 1, ring: 0 });
      });
    }

    it('answers over TCP', async () => {
      // Not waited for in this thread, which is the one that answers.
      const dig = spawnIn(CLIENT, 'dig', '@192.0.2.1', 'www.example.com', 'A', '+tcp', '+short');
      const counts = await taken(async () => {
        let text = '';
        for await (const piece of dig.stdout!.setEncoding('utf8')) text += piece as string;
        assert.equal(text.trim(), '192.0.2.80');
      });
      assert.deepEqual(counts, { sockets: 0, ring: 0 });
    });

    it('has other UDP ports', async () => {
      const socket = createSocket('udp4');
      const heard = new Promise<string>((resolve) => socket.on('message', (message) => resolve(message.toString())));
      await new Promise<void>((resolve) => socket.bind(5353, '192.0.2.1', resolve));
      await python(CLIENT, `import socket; socket.socket(2, 2).sendto(b'hello', ('192.0.2.1', 5353))`);
      assert.equal(await heard, 'hello');
      socket.close();
    });

    it('has odd frames, which are answered by whom they were answered before, or by nobody, each in its count', async () => {
      const mac = (text: string): string => /link\/ether (\S+)/.exec(text)![1]!;
      const macs = [mac(ip('link show dev dns0')), mac(ip(`-n ${CLIENT} link show dev cl0`))];
      // Whoever is asked by the kernel knows the neighbour.
      inClient('ping', '-c', '1', '192.0.2.1');
      inClient('ping', '-c', '1', '2001:db8::1');
      run('sysctl', '-qw', 'net.ipv4.conf.all.rp_filter=0');
      const frameBefore = [...ring!.frameCounts];
      const socketsBefore = bySockets();
      const texts = JSON.stringify(ODD.map(({ frame }) => frame));
      const { stdout, stderr, status } = spawnSync(
        'ip',
        ['netns', 'exec', CLIENT, '/usr/bin/python3', '-c', SEND, ...macs, texts],
        { encoding: 'utf8' },
      );
      assert.equal(status, 0, stderr);
      const replies = JSON.parse(stdout) as Record<string, { isGood: boolean; hops: number; address: string }[]>;
      const wanted = new Array<number>(frameBefore.length).fill(0);
      let wantedOfSockets = 0;
      for (const [id, { name, by }] of ODD.entries()) {
        const got = replies[id] ?? [];
        const isAnswered = by === 'ring' || by === 'sockets';
        assert.equal(got.length, isAnswered ? 1 : 0, `${name}: ${JSON.stringify(got)}`);
        // The kernel leaves checksums to a card, which a veth pair has not.
        if (isAnswered) assert.deepEqual(got[0], { isGood: by === 'ring', hops: 64, address: '192.0.2.80' }, name);
        if (by === 'sockets') wantedOfSockets++;
        else if (by === 'ring') wanted[FrameOutcome.answered]!++;
        else if (by !== 'nobody') wanted[FrameOutcome[by]]!++;
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
      assert.deepEqual(
        ring!.frameCounts.map((count, index) => count - frameBefore[index]!),
        Float64Array.from(wanted),
      );
      assert.equal(bySockets() - socketsBefore, wantedOfSockets);
      assert.equal(dig('@192.0.2.1', 'www.example.com', 'A', '+short').trim(), '192.0.2.80');
    });

    it('has other zones from the next batch on', async () => {
      for (const address of ['192.0.2.81', '192.0.2.80']) {
        await ring!.setSources(zonesAlone([zoneWith(address)]));
        const isTaken = (): boolean => dig('@192.0.2.1', 'www.example.com', 'A', '+short').trim() === address;
        await eventually(`the zone with ${address}`, isTaken);
      }
    });

    it('is an address like any other when the ring has ended', async () => {
      await end();
      const before = bySockets();
      assert.equal(dig('@192.0.2.1', 'www.example.com', 'A', '+short').trim(), '192.0.2.80');
      assert.equal(bySockets() - before, 1);
      assert.equal(died, undefined);
    });

    it('has replies that fit the device', async () => {
      for (const mtu of [900, 1400]) {
        ip(`link set dns0 mtu ${mtu}`);
        let reason: string | undefined;
        const addresses = ['192.0.2.1'];
        const limited = await startRing(form, responding, tables, { addresses, died: (why) => (reason = why) });
        await rules.set('dnsd', rulesOf(form));
        // 200 addresses are too many for either, 50 are 845 octets.
        const cut = dig('@192.0.2.1', 'many.example.com', 'A', '+bufsize=4096', '+ignore');
        assert.match(cut, /flags: qr aa tc rd/);
        assert.match(cut, new RegExp(`udp: ${Math.min(1232, mtu - 28)}$`, 'm'));
        const whole = dig('@192.0.2.1', 'some.example.com', 'A', '+bufsize=4096', '+nocookie');
        assert.match(whole, /flags: qr aa rd[^]*MSG SIZE {2}rcvd: 845/);
        assert.deepEqual([...limited.losses], [0, 0]);
        if (mtu === 900) {
          ip('link set dns0 mtu 800');
          await limited.ended();
          assert.match(String(reason), /dns0: its MTU is less than it was/);
        }
        await rules.set('dnsd', []);
        await limited.stop();
      }
      ip('link set dns0 mtu 500');
      await assert.rejects(
        startRing(form, responding, tables, { addresses: ['192.0.2.1'] }),
        /dns0: an MTU of 500 is too small/,
      );
      ip('link set dns0 mtu 1500');
      // With less than 1280 octets there is no IPv6.
      ip('address add 2001:db8::1/64 dev dns0 nodad');
    });

    it(`says that its device has gone, or is not there: ${form}`, async () => {
      ip('link add gone0 type veth peer name gone1');
      ip('link set gone0 up');
      const place = { device: 'gone0', form, port: 53, addresses: [Uint8Array.of(192, 0, 2, 9)] };
      let tell: (reason: string) => void = () => undefined;
      const reason = new Promise<string>((resolve) => (tell = resolve));
      const make = (): RingEngine =>
        new RingEngine(
          { id: 2, ring: place, answers: responding, log: createQueryLog() },
          { deferred: () => undefined, decided: () => undefined, died: tell },
        );
      await make().ready();
      ip('link delete gone0');
      assert.match(await reason, /gone0: the device has gone/);
      await assert.rejects(make().ready(), /gone0: .*No such device/);
    });
  });
}

it('AF_XDP leaves the device with its process', async () => {
  const program = fileURLToPath(new URL('../bench/dns-program.js', import.meta.url));
  const server = spawn(process.execPath, [program, '192.0.2.1', '53', '10', 'af-xdp', 'dns0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(server.stdout, 'data');
  assert.match(ip('link show dev dns0'), /xdp/);
  assert.equal(dig('@192.0.2.1', 'h1.bench.test', 'A', '+short').trim(), '10.0.0.1');
  server.kill('SIGKILL');
  await once(server, 'exit');
  await eventually('no program any more', () => !ip('link show dev dns0').includes('xdp'));
  assert.equal(dig('@192.0.2.1', 'www.example.com', 'A', '+short').trim(), '192.0.2.80');
});
