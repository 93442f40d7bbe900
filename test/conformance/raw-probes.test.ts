// beside others
// time-out: 600 s
// Monitors of type icmp, gateway-icmp and tcp-half-open against kernels in other namespaces, over both IP versions.
//
//   [ here ] h0 ──── r0 [ router ] f0 ──── f1 [ far ]
//   10.9.0.1         10.9.0.2      10.9.1.1   10.9.1.2      and the same of fd00:9:0::/64 and fd00:9:1::/64
//   Of 10.8.0.0/16 every address is the router's own; 10.7.0.0/16 goes back and forth between the router and far.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Monitor, MonitorType } from '../../src/health/monitor.ts';
import type { ProbeOutcome, Prober } from '../../src/health/probe.ts';
import { loadAddon } from '../../src/native/addon.ts';
import { createRawProbers } from '../../src/probe/raw-probers.ts';
import { addVeth, eventually, ip, run, spawnIn } from '../lib/namespace.ts';
import { tsharkFields } from '../support/tshark.ts';

const FORGER = fileURLToPath(new URL('../../../test/lib/probe-forger.py', import.meta.url));
const PROBERS = new URL('../../src/probe/raw-probers.js', import.meta.url).href;
const PORT = 8080;
const CLOSED = 8081;
const NETS = {
  4: { here: '10.9.0.1', router: '10.9.0.2', routerFar: '10.9.1.1', far: '10.9.1.2', nobody: '10.9.0.77' },
  6: { here: 'fd00:9::1', router: 'fd00:9::2', routerFar: 'fd00:9:1::1', far: 'fd00:9:1::2', nobody: 'fd00:9::77' },
} as const;
const LOOP = { 4: '10.7.0.9', 6: 'fd00:7::9' } as const;
const NO_ROUTE = { 4: '203.0.113.1', 6: '2001:db8::1' } as const;
const FAMILIES = [4, 6] as const;

const monitorOf = (type: 'icmp' | 'gateway-icmp' | 'tcp-half-open', attempts = 1, module: 'gtm' | 'ltm' = 'gtm') => ({
  module,
  type: type as MonitorType,
  name: `/Common/${type}`,
  timing: {
    ...{ interval: 5000, timeout: 16_000, upInterval: 0, timeUntilUp: 0, probeTimeout: 5000 },
    ...{ probeAttempts: attempts, probeInterval: 200 },
  },
  probe: { type },
  ...{ isReverse: false, isTransparent: false, address: undefined, port: undefined, manualResume: false },
  ...{ ignoresDownResponse: false, flapLimit: undefined },
});

type Probe = { type: MonitorType; address: string; port?: number; timeout?: number; attempts?: number };

function probe(
  prober: Prober,
  { type, address, port = 0, timeout = 1000, attempts = 1 }: Probe,
): Promise<ProbeOutcome> {
  const monitor = monitorOf(type as 'icmp', attempts) as Monitor;
  const family = address.includes(':') ? 6 : 4;
  return new Promise((resolve) => {
    prober.probe(monitor, { family, address, port, via: undefined }, timeout, resolve);
  });
}

const words = ({ verdict, reason }: ProbeOutcome): string => `${verdict}: ${reason}`;

function sysctl(namespace: string | undefined, values: Record<string, string | number>): void {
  const prefix = namespace === undefined ? [] : ['ip', 'netns', 'exec', namespace];
  for (const [name, value] of Object.entries(values)) {
    const [command, ...args] = [...prefix, 'sysctl', '-qw', `${name}=${value}`];
    run(command, ...args);
  }
}

const nft = (namespace: string, rules: string): string => run('ip', 'netns', 'exec', namespace, 'nft', rules);

/** While `use` runs, one rule of the router decides about what is sent to it or through it. */
async function withRule(rule: string, use: () => Promise<void>): Promise<void> {
  nft('router', 'add table inet probes');
  for (const hook of ['input', 'forward']) {
    nft('router', `add chain inet probes ${hook} { type filter hook ${hook} priority 0; }`);
    nft('router', `add rule inet probes ${hook} ${rule}`);
  }
  try {
    await use();
  } finally {
    nft('router', 'delete table inet probes');
  }
}

/** How many packets are in a capture (pcap-savefile(5)). */
function countRecords(capture: Buffer): number {
  let count = 0;
  for (let at = 24; at + 16 <= capture.length; at += 16 + capture.readUInt32LE(at + 8)) count++;
  return count;
}

/** What waits at the raw sockets of a family (proc(5), /proc/net/raw). */
function waitingOctets(family: 4 | 6): { icmp: number; tcp: number } {
  const waiting = { icmp: 0, tcp: 0 };
  const lines = readFileSync(family === 4 ? '/proc/net/raw' : '/proc/net/raw6', 'utf8')
    .trim()
    .split('\n')
    .slice(1);
  assert.equal(lines.length, 2);
  for (const line of lines) {
    const [, local = '', , , queues = ''] = line.trim().split(/\s+/);
    const octets = Number.parseInt(queues.split(':')[1]!, 16);
    if (local.endsWith(':0006')) waiting.tcp += octets;
    else waiting.icmp += octets;
  }
  return waiting;
}

const servers: ChildProcess[] = [];

before(async () => {
  addVeth('h0', 'r0', 'router');
  ip('netns add far');
  ip('link add name f0 netns router type veth peer name f1 netns far');
  const forwarding = { 'net.ipv4.ip_forward': 1, 'net.ipv6.conf.all.forwarding': 1 };
  const noDad = { 'net.ipv6.conf.all.accept_dad': 0, 'net.ipv6.conf.default.accept_dad': 0 };
  // No limit on errors: they are what is looked at.
  const errors = { 'net.ipv4.icmp_ratelimit': 0, 'net.ipv6.icmp.ratelimit': 0 };
  for (const namespace of [undefined, 'router', 'far']) sysctl(namespace, { ...noDad, ...forwarding, ...errors });
  sysctl(undefined, { 'net.ipv6.conf.h0.disable_ipv6': 0 });
  sysctl('router', { 'net.ipv6.conf.r0.disable_ipv6': 0 });
  // A neighbour that does not answer is known to be away in a fraction of a second.
  sysctl(undefined, { 'net.ipv4.neigh.h0.retrans_time_ms': 100, 'net.ipv6.neigh.h0.retrans_time_ms': 100 });
  for (const device of ['f0', 'lo']) ip(`-n router link set dev ${device} up`);
  for (const device of ['f1', 'lo']) ip(`-n far link set dev ${device} up`);
  for (const family of FAMILIES) {
    const { here, router, routerFar, far } = NETS[family];
    const bits = family === 4 ? 24 : 64;
    const flag = family === 4 ? '' : ' nodad';
    ip(`address add ${here}/${bits} dev h0${flag}`);
    ip(`-n router address add ${router}/${bits} dev r0${flag}`);
    ip(`-n router address add ${routerFar}/${bits} dev f0${flag}`);
    ip(`-n far address add ${far}/${bits} dev f1${flag}`);
    ip(`-n far -${family} route add default via ${routerFar}`);
    const [beyond, own, loop] =
      family === 4 ? ['10.9.1.0/24', '10.8.0.0/16', '10.7.0.0/16'] : ['fd00:9:1::/64', 'fd00:8::/64', 'fd00:7::/64'];
    for (const prefix of [beyond, own, loop]) ip(`-${family} route add ${prefix} via ${router}`);
    ip(`-n router -${family} route add ${loop} via ${far}`);
    ip(`-n router -${family} route add local ${own} dev lo`);
  }
  const listening = `
import socket, sys
s = socket.socket(socket.AF_INET6)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
s.bind(('::', ${PORT}))
s.listen(5000)
print('ready', flush=True)
while True:
    connection, peer = s.accept()
    print('accepted', peer, flush=True)
`;
  for (const namespace of ['router', 'far']) {
    const server = spawnIn(namespace, 'python3', '-c', listening);
    servers.push(server);
    await new Promise((resolve) => server.stdout!.once('data', resolve));
    server.stdout!.on('data', (text: Buffer) => accepted.push(...(text.toString().match(/accepted.*/g) ?? [])));
  }
});
after(() => servers.forEach((server) => server.kill()));
/** What servers say of connections that they got. */
const accepted: string[] = [];

for (const family of FAMILIES) {
  describe(`raw probes over IPv${family}`, () => {
    const { here, router, far, nobody } = NETS[family];
    let prober: Prober;
    before(() => (prober = createRawProbers()));
    after(() => prober.close());

    it('find who is there, near and far', async () => {
      for (const address of [
        router,
        far,
        here,
        family === 4 ? '127.0.0.1' : '::1',
        family === 4 ? '10.8.3.4' : 'fd00:8::5',
      ]) {
        for (const type of ['icmp', 'gateway-icmp'] as const) {
          const outcome = await probe(prober, { type, address, timeout: 3000 });
          assert.equal(words(outcome), 'up: answered', address);
          assert.equal(outcome.received, 'ICMP echo reply');
          assert.ok(outcome.took < 3000);
        }
      }
      for (const address of [router, far]) {
        const outcome = await probe(prober, { type: 'tcp-half-open', address, port: PORT, timeout: 3000 });
        assert.equal(words(outcome), 'up: answered', address);
        assert.equal(outcome.received, 'TCP SYN, ACK');
      }
    });

    it('are refused by a closed port, near and far', async () => {
      for (const address of [router, far, here]) {
        const outcome = await probe(prober, { type: 'tcp-half-open', address, port: CLOSED, timeout: 3000 });
        assert.equal(words(outcome), 'refused: connection refused', address);
      }
    });

    it('hear nothing of who drops them', async () => {
      await withRule('meta l4proto { icmp, icmpv6, tcp } drop', async () => {
        // The neighbour is known, and solicitations are not needed meanwhile.
        const [echo, syn] = await Promise.all([
          probe(prober, { type: 'icmp', address: router, attempts: 3, timeout: 300 }),
          probe(prober, { type: 'tcp-half-open', address: far, port: PORT, attempts: 2, timeout: 300 }),
        ]);
        assert.equal(words(echo), 'silent: no answer to 3 packets');
        assert.ok(echo.took >= 700 && echo.took < 2500, `${echo.took} ms`);
        assert.equal(words(syn), 'silent: no answer to 2 packets');
      });
      assert.equal(words(await probe(prober, { type: 'icmp', address: router, timeout: 3000 })), 'up: answered');
    });

    it('say that a neighbour does not answer, and that there is no route', async () => {
      for (const type of ['icmp', 'tcp-half-open'] as const) {
        const away = await probe(prober, { type, address: nobody, port: PORT, timeout: 2000 });
        assert.equal(words(away), `silent: host unreachable, says this host (${here})`);
        const started = performance.now();
        const nowhere = await probe(prober, { type, address: NO_ROUTE[family], port: PORT, timeout: 60_000 });
        assert.equal(words(nowhere), 'silent: no route to it');
        assert.ok(performance.now() - started < 10_000);
      }
    });

    const REJECTIONS =
      family === 4
        ? [
            { code: 'net-unreachable', text: 'network unreachable' },
            { code: 'host-unreachable', text: 'host unreachable' },
            { code: 'net-prohibited', text: 'network prohibited' },
            { code: 'host-prohibited', text: 'host prohibited' },
            { code: 'admin-prohibited', text: 'prohibited by a packet filter' },
            { code: 'port-unreachable', text: 'port unreachable', refuses: true },
            { code: 'prot-unreachable', text: 'protocol unreachable', refuses: true },
          ]
        : [
            { code: 'no-route', text: 'no route' },
            { code: 'admin-prohibited', text: 'prohibited by a packet filter' },
            { code: 'addr-unreachable', text: 'host unreachable' },
            { code: 'port-unreachable', text: 'port unreachable', refuses: true },
          ];
    for (const { code, text, refuses = false } of REJECTIONS) {
      it(`are rejected with ${code}, by the target and by a router`, async () => {
        const [kind, match] =
          family === 4
            ? ['icmp', 'meta l4proto { icmp, tcp } meta nfproto ipv4']
            : ['icmpv6', 'icmpv6 type echo-request'];
        const rules = family === 4 ? [match] : [match, 'meta nfproto ipv6 meta l4proto tcp'];
        for (const [index, rule] of rules.entries()) {
          await withRule(`${rule} reject with ${kind} type ${code}`, async () => {
            const types =
              rules.length === 1
                ? (['icmp', 'tcp-half-open'] as const)
                : ([index === 0 ? 'icmp' : 'tcp-half-open'] as const);
            for (const type of types) {
              const target = await probe(prober, { type, address: router, port: PORT, timeout: refuses ? 3000 : 500 });
              assert.equal(words(target), refuses ? `refused: ${text}` : `silent: ${text}, says ${router}`, type);
              const behind = await probe(prober, { type, address: far, port: PORT, timeout: 500 });
              assert.equal(words(behind), `silent: ${text}, says ${router}`, type);
            }
          });
        }
      });
    }

    it('are refused by a packet filter that resets', async () => {
      await withRule(`tcp dport ${PORT} reject with tcp reset`, async () => {
        const outcome = await probe(prober, { type: 'tcp-half-open', address: far, port: PORT, timeout: 3000 });
        assert.equal(words(outcome), 'refused: connection refused');
      });
    });

    it('say where a loop of routes ended them', async () => {
      for (const type of ['icmp', 'tcp-half-open'] as const) {
        const { verdict, reason } = await probe(prober, { type, address: LOOP[family], port: PORT, timeout: 1000 });
        assert.equal(verdict, 'silent');
        assert.match(reason, /^time to live exceeded, says /);
      }
    });

    const forge = async (protocol: 'icmp' | 'tcp', name: string, use: () => Promise<void>): Promise<void> => {
      await withRule(
        'meta l4proto { icmp, tcp } drop; add rule inet probes input icmpv6 type echo-request drop',
        async () => {
          const forger = spawnIn('router', 'python3', FORGER, 'r0', protocol, String(family), name);
          let printed = '';
          forger.stdout!.on('data', (text: Buffer) => (printed += text.toString()));
          try {
            await eventually('the forger is ready', () => printed.includes('ready'), 20_000);
            await use();
            await eventually('the forger has answered', () => printed.includes('answered'));
          } finally {
            forger.kill();
          }
        },
      );
    };
    for (const name of ['identifier', 'sequence', 'process', 'token', 'source']) {
      it(`take no echo reply with another ${name}`, async () => {
        await forge('icmp', name, async () => {
          const outcome = await probe(prober, { type: 'icmp', address: router, timeout: 700 });
          assert.equal(words(outcome), 'silent: no answer');
        });
      });
    }
    for (const name of ['acknowledgement', 'port', 'source', 'reset-acknowledgement', 'no-acknowledgement']) {
      it(`take no segment forged by its ${name}`, async () => {
        await forge('tcp', name, async () => {
          const outcome = await probe(prober, { type: 'tcp-half-open', address: router, port: PORT, timeout: 700 });
          assert.equal(words(outcome), 'silent: no answer');
        });
      });
    }
    it('take the true answer of the same forger', async () => {
      await forge('icmp', 'true', async () => {
        assert.equal(words(await probe(prober, { type: 'icmp', address: router, timeout: 3000 })), 'up: answered');
      });
      for (const [name, expected] of [
        ['true', 'up: answered'],
        ['reset', 'refused: connection refused'],
      ] as const) {
        await forge('tcp', name, async () => {
          const outcome = await probe(prober, { type: 'tcp-half-open', address: router, port: PORT, timeout: 3000 });
          assert.equal(words(outcome), expected);
        });
      }
    });

    it('are 2,000 at once, and each is answered', async () => {
      const addressOf = (index: number): string =>
        family === 4 ? `10.8.${index >> 8}.${index & 255}` : `fd00:8::${(index + 1).toString(16)}`;
      // All by one neighbour, whose MAC address is known.
      await probe(prober, { type: 'icmp', address: router, timeout: 3000 });
      for (const type of ['icmp', 'tcp-half-open'] as const) {
        const started = performance.now();
        const outcomes = await Promise.all(
          Array.from({ length: 2000 }, (_, index) =>
            probe(prober, { type, address: addressOf(index + 256), port: PORT, timeout: 5000 }),
          ),
        );
        const tally = new Map<string, number>();
        for (const outcome of outcomes) tally.set(words(outcome), (tally.get(words(outcome)) ?? 0) + 1);
        assert.deepEqual([...tally], [['up: answered', 2000]], type);
        assert.ok(performance.now() - started < 15_000);
      }
    });

    it('of the same target at once do not disturb each other', async () => {
      const outcomes = await Promise.all(
        Array.from({ length: 200 }, (_, index) =>
          probe(prober, {
            type: index % 2 === 0 ? 'icmp' : 'tcp-half-open',
            address: far,
            port: PORT,
            attempts: 5,
            timeout: 3000,
          }),
        ),
      );
      assert.deepEqual([...new Set(outcomes.map(words))], ['up: answered']);
    });

    it('open no connection: what answers a SYN gets RST and nothing else', async () => {
      // With whole packets its buffer would hold 32 of them.
      const how = ['-U', '-s', '200', '-B', '4096', '-Z', 'root', '--immediate-mode', '-w', '-'];
      const capture = spawn('tcpdump', ['-i', 'h0', ...how, `tcp port ${PORT}`]);
      const chunks: Buffer[] = [];
      let said = '';
      capture.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
      capture.stderr.on('data', (text: Buffer) => (said += text.toString()));
      const ended = new Promise((resolve) => capture.once('close', resolve));
      try {
        await eventually('tcpdump listens', () => said.includes('listening'), 20_000);
        // It says so a moment before it does.
        await sleep(500);
        for (let index = 0; index < 20; index++) {
          await probe(prober, { type: 'tcp-half-open', address: far, port: PORT, timeout: 3000 });
        }
        await eventually('tcpdump has read 20 probes', () => countRecords(Buffer.concat(chunks)) >= 60, 15_000);
        // What would come behind them would have come by then.
        await sleep(300);
      } finally {
        capture.kill('SIGINT');
        await ended;
      }
      const version = family === 4 ? 'ip' : 'ipv6';
      const fields = [
        `${version}.src`,
        'tcp.srcport',
        'tcp.flags',
        'tcp.seq_raw',
        'tcp.ack_raw',
        'tcp.checksum.status',
      ];
      const rows = tsharkFields(Buffer.concat(chunks), fields);
      assert.equal(rows.length, 60, rows.map((row) => row.join(' ')).join('\n'));
      const GOOD = '1';
      const sequences = new Set<string>();
      for (let at = 0; at < rows.length; at += 3) {
        const [syn, answer, reset] = rows.slice(at, at + 3) as [string[], string[], string[]];
        assert.deepEqual([syn[0], syn[2], syn[5]], [here, '0x0002', GOOD]);
        assert.deepEqual([answer[0], answer[2]], [far, '0x0012']);
        assert.equal(Number(answer[4]), (Number(syn[3]) + 1) >>> 0);
        assert.deepEqual([reset[0], reset[1], reset[2]], [here, syn[1], '0x0004']);
        assert.equal(reset[3], answer[4]);
        sequences.add(syn[3]!);
      }
      assert.equal(sequences.size, 20);
      assert.deepEqual(accepted, [], 'nobody was given a connection');
      assert.equal(run('ip', 'netns', 'exec', 'far', 'ss', '-Htan', 'state', 'syn-recv', 'state', 'established'), '');
    });
  });
}

describe('raw probes', () => {
  it('leave no descriptor behind, and programs that are started inherit none', async () => {
    const descriptors = (): number => readdirSync('/proc/self/fd').length;
    const inherited = (): string[] =>
      spawnSync('ls', ['/proc/self/fd'], { encoding: 'utf8' }).stdout.trim().split('\n');
    const own = inherited();
    const once = async (): Promise<void> => {
      const prober = createRawProbers();
      const all = FAMILIES.flatMap((family) => [
        probe(prober, { type: 'icmp', address: NETS[family].router, timeout: 3000 }),
        probe(prober, { type: 'tcp-half-open', address: NETS[family].router, port: PORT, timeout: 3000 }),
        probe(prober, { type: 'tcp-half-open', address: NETS[family].router, port: CLOSED, timeout: 3000 }),
      ]);
      await Promise.all(all);
      const seen = inherited();
      prober.close();
      assert.deepEqual(seen, own);
    };
    await once();
    await sleep(50);
    const before = descriptors();
    for (let index = 0; index < 20; index++) await once();
    await sleep(50);
    assert.equal(descriptors(), before);
  });

  it('are not woken by what concerns them not', async () => {
    const prober = createRawProbers();
    after(() => prober.close());
    for (const family of FAMILIES) {
      const { router, here } = NETS[family];
      await probe(prober, { type: 'icmp', address: router, timeout: 3000 });
      await probe(prober, { type: 'tcp-half-open', address: router, port: PORT, timeout: 3000 });
      // Nobody reads meanwhile, for these programs are waited for without the event loop.
      const flags = ['-q', '-c', '20', '-i', '0.01'];
      run('ip', 'netns', 'exec', 'router', 'ping', ...flags, here);
      run('python3', '-c', `import socket; socket.create_connection(('${router}', ${PORT})).close()`);
      assert.deepEqual(waitingOctets(family), { icmp: 0, tcp: 0 });
      // Replies to others cannot be told from our own by their type.
      run('ping', ...flags, router);
      assert.ok(waitingOctets(family).icmp > 0);
      assert.equal(words(await probe(prober, { type: 'icmp', address: router, timeout: 3000 })), 'up: answered');
      assert.deepEqual(waitingOctets(family), { icmp: 0, tcp: 0 });
    }
    accepted.length = 0;
  });

  it('send from ports that nobody else gets', async () => {
    const loaded = loadAddon();
    assert.ok(loaded.addon !== undefined);
    for (const family of FAMILIES) {
      const [descriptor, port] = loaded.addon.portReserve(family);
      const listen = (): Promise<string> =>
        new Promise((resolve) => {
          const server = createServer();
          server.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''));
          server.listen({ port, host: family === 4 ? '0.0.0.0' : '::', ipv6Only: true }, () => {
            server.close(() => resolve('listens'));
          });
        });
      assert.equal(await listen(), 'EADDRINUSE');
      loaded.addon.closeDescriptor(descriptor);
      assert.equal(await listen(), 'listens');
    }
  });

  it('end with their prober, without an outcome', async () => {
    const prober = createRawProbers();
    let outcomes = 0;
    const place = { family: 4, address: NETS[4].nobody, port: PORT, via: undefined } as const;
    for (const type of ['icmp', 'tcp-half-open'] as const) {
      prober.probe(monitorOf(type), place, 300, () => outcomes++);
    }
    await sleep(50);
    prober.close();
    await sleep(600);
    assert.equal(outcomes, 0);
  });

  it('send the SYN of an ltm monitor again within its time', async () => {
    const prober = createRawProbers();
    after(() => prober.close());
    await withRule('meta l4proto tcp drop', async () => {
      const place = { family: 4, address: NETS[4].router, port: PORT, via: undefined } as const;
      const outcome = await new Promise<ProbeOutcome>((resolve) => {
        prober.probe(monitorOf('tcp-half-open', 1, 'ltm'), place, 2500, resolve);
      });
      assert.equal(words(outcome), 'silent: no answer to 2 packets');
      assert.ok(outcome.took >= 2500 && outcome.took < 5000, `${outcome.took} ms`);
    });
  });

  const OUTSIDE = [
    {
      how: 'without CAP_NET_RAW',
      command: ['setpriv', '--bounding-set', '-net_raw'],
      type: 'icmp',
      env: {},
      reason: /^no raw ICMP socket: .*CAP_NET_RAW/,
    },
    {
      how: 'without CAP_NET_RAW',
      command: ['setpriv', '--bounding-set', '-net_raw'],
      type: 'tcp-half-open',
      env: {},
      reason: /^no raw TCP socket: .*CAP_NET_RAW/,
    },
    {
      how: 'without the package',
      command: [],
      type: 'icmp',
      env: { WIDEPLANE_RAW_SOCKET: '/nowhere' },
      reason: /raw-socket.*npm install raw-socket/,
    },
    {
      how: 'without the package',
      command: [],
      type: 'tcp-half-open',
      env: { WIDEPLANE_RAW_SOCKET: '/nowhere' },
      reason: /^answered$/,
    },
    { how: 'without the addon', command: [], type: 'icmp', env: { WIDEPLANE_ADDON: '/nowhere' }, reason: /^answered$/ },
    {
      how: 'without the addon',
      command: [],
      type: 'tcp-half-open',
      env: { WIDEPLANE_ADDON: '/nowhere' },
      reason: /npm run build:native/,
    },
  ] as const;
  for (const { how, command, type, env, reason } of OUTSIDE) {
    it(`${how} ${type} says what is missing, or goes on`, () => {
      const program = `
import { createRawProbers } from ${JSON.stringify(PROBERS)};
const prober = createRawProbers();
const place = { family: 4, address: '${NETS[4].router}', port: ${PORT}, via: undefined };
prober.probe(${JSON.stringify(monitorOf(type))}, place, 3000, (outcome) => {
  console.log(JSON.stringify(outcome));
  prober.close();
});
`;
      const argv = [...command, process.execPath, '--input-type=module', '-e', program];
      const { stdout, stderr } = spawnSync(argv[0]!, argv.slice(1), {
        encoding: 'utf8',
        env: { ...process.env, ...env },
      });
      assert.notEqual(stdout, '', stderr);
      const outcome = JSON.parse(stdout) as ProbeOutcome;
      assert.match(outcome.reason, reason);
      assert.equal(outcome.verdict, outcome.reason === 'answered' ? 'up' : 'impossible');
    });
  }
});
