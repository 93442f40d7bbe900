// A server with both engines at one end of a veth pair and a client in a namespace at the other, in the network namespace of the test.

import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { addressOctets, parseAddress } from '../../src/core/address.ts';
import { createQueryLog } from '../../src/assembly/dnsd/query-log.ts';
import { RingEngine } from '../../src/assembly/dnsd/ring-engine.ts';
import type { ResponderOptions } from '../../src/dns/responder-options.ts';
import { type SourceData, zonesAlone } from '../../src/assembly/dnsd/source-data.ts';
import type { ZoneTable } from '../../src/dns/zone-table.ts';
import { currentPlace, DeviceJournal } from '../../src/supervise/device-journal.ts';
import { type QueryRule, QueryRuleKeeper } from '../../src/supervise/query-rules.ts';
import { OneListener } from './dns-engine.ts';
import { addVeth, ip, python, run } from '../lib/namespace.ts';

export const DEVICE = 'dns0';
export const CLIENT = 'client';
export const CLIENT_DEVICE = 'cl0';
export const SERVER_ADDRESSES = ['192.0.2.1', '2001:db8::1'] as const;
export const PORT = 53;

const QUIET = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

/** The pair with addresses of both versions, nothing sent by the kernels themselves but what they are asked for. */
export function makePair(mtu = 1500): void {
  addVeth(DEVICE, CLIENT_DEVICE, CLIENT, mtu);
  run('sysctl', '-qw', `net.ipv6.conf.${DEVICE}.disable_ipv6=0`);
  ip(`netns exec ${CLIENT} sysctl -qw net.ipv6.conf.${CLIENT_DEVICE}.disable_ipv6=0`);
  ip(`address add 192.0.2.1/24 dev ${DEVICE}`);
  ip(`address add 2001:db8::1/64 dev ${DEVICE} nodad`);
  ip(`-n ${CLIENT} address add 192.0.2.2/24 dev ${CLIENT_DEVICE}`);
  ip(`-n ${CLIENT} address add 2001:db8::2/64 dev ${CLIENT_DEVICE} nodad`);
  ip(`link set dev lo up`);
}

export async function startSockets(
  responder: ResponderOptions,
  zones: SourceData | readonly ZoneTable[],
): Promise<OneListener[]> {
  const engines = SERVER_ADDRESSES.map((address) => ({ engine: new OneListener(), address }));
  for (const { engine, address } of engines) {
    await engine.serve({ family: address.includes(':') ? 6 : 4, address, port: PORT }, responder, zones);
  }
  return engines.map(({ engine }) => engine);
}

/** The two forms of the engine. */
export const FORMS = ['packet-ring', 'af-xdp'] as const;
export type Form = (typeof FORMS)[number];

export type RingOptions = {
  readonly addresses?: readonly string[];
  /** Told when the engine ends by itself. */
  readonly died?: (reason: string) => void;
};

export async function startRing(
  form: Form,
  answers: ResponderOptions,
  zones: SourceData | readonly ZoneTable[],
  { addresses = SERVER_ADDRESSES, died = () => undefined }: RingOptions = {},
): Promise<RingEngine> {
  const octets = addresses.map((address) => addressOctets(parseAddress(address)!));
  const ring = { device: DEVICE, form, port: PORT, addresses: octets };
  const engine = new RingEngine(
    { id: 1, ring, answers, log: createQueryLog() },
    { deferred: () => undefined, decided: () => undefined, died },
  );
  await engine.ready();
  await engine.setSources('zones' in zones ? zones : zonesAlone(zones));
  return engine;
}

/** Keeps questions from the kernel, as the supervisor does. */
export function makeRules(): QueryRuleKeeper {
  const file = join(mkdtempSync(join(tmpdir(), 'rules-')), 'devices.json');
  return new QueryRuleKeeper(new DeviceJournal(file, currentPlace()), QUIET);
}

/** What has to be kept from the kernel for a form: AF_XDP does it by itself. */
export const rulesOf = (form: Form): QueryRule[] =>
  form === 'af-xdp' ? [] : [{ device: DEVICE, port: PORT, addresses: [...SERVER_ADDRESSES] }];

const ASK = `
import json, select, socket, sys
order = json.load(open(sys.argv[1]))
family = socket.AF_INET6 if ':' in order['to'] else socket.AF_INET
answers = []
# A socket a question, so that a reply belongs to its question whatever is in it.
for start in range(0, len(order['queries']), 100):
    sockets = []
    for query in order['queries'][start:start + 100]:
        one = socket.socket(family, socket.SOCK_DGRAM)
        one.connect((order['to'], order['port']))
        one.send(bytes.fromhex(query))
        sockets.append(one)
    got = {one: [] for one in sockets}
    while True:
        ready, _, _ = select.select(sockets, [], [], 0.4)
        if not ready: break
        for one in ready:
            try: got[one].append(one.recv(65535).hex())
            except OSError as error: got[one].append(str(error))
    answers += [got[one] for one in sockets]
    for one in sockets: one.close()
print(json.dumps(answers))
`;

/** Asks from the client; for each question what came back, in hexadecimal: nothing, one message, or more where something is wrong. */
export async function askFromClient(to: string, queries: readonly Uint8Array[]): Promise<string[][]> {
  const file = join(mkdtempSync(join(tmpdir(), 'ask-')), 'order.json');
  writeFileSync(
    file,
    JSON.stringify({ to, port: PORT, queries: queries.map((query) => Buffer.from(query).toString('hex')) }),
  );
  return JSON.parse(await python(CLIENT, ASK, file)) as string[][];
}
