// The server that `dns-*` measures: one engine with one zone, until it is ended.
//
//   node dns-program.js ADDRESS PORT RECORDS socket|blocked '' WIDE-IPS     blocked: its main thread stands still for 20 of every 100 ms
//   node dns-program.js ADDRESS PORT RECORDS packet-ring|af-xdp DEVICE WIDE-IPS

import { createQueryLog } from '../../src/assembly/dnsd/query-log.ts';
import { RingEngine } from '../../src/assembly/dnsd/ring-engine.ts';
import { addressOctets, parseAddress } from '../../src/core/address.ts';
import { zonesAlone } from '../../src/assembly/dnsd/source-data.ts';
import { buildZoneTable } from '../../src/dns/zone-builder.ts';
import { OneListener } from '../support/dns-engine.ts';
import { benchWideIps } from './dns-wide-ips.ts';
import { benchZone } from './dns-zone.ts';

const [address, portText, records, form, device = '', wideIpText = ''] = process.argv.slice(2) as [
  ...[string, string, string, string],
  ...string[],
];
const port = Number(portText);
// Everything on: cookies and the name of the server cost those who ask for them. Beside wide IPs answers are limited, too, if far
// above what anybody gets.
const answers = {
  unhandled: 'reject',
  udpOctets: 1232,
  nsid: new Uint8Array(Buffer.from('bench')),
  cookieKey: new Uint8Array(16),
  ...(wideIpText === '' ? {} : { rateLimit: { perSecond: 1e9, slip: 2, ipv4Prefix: 24, ipv6Prefix: 56 } }),
} as const;
const wideIps = benchWideIps(wideIpText);
const sources = {
  ...zonesAlone([buildZoneTable(benchZone(Number(records)))]),
  ...(wideIps === undefined ? {} : { wideIps }),
};

async function startSocket(): Promise<OneListener> {
  const listener = new OneListener();
  await listener.serve({ family: 4, address, port }, answers, sources);
  return listener;
}

async function startRing(onDevice: string): Promise<RingEngine> {
  const addresses = [addressOctets(parseAddress(address)!)];
  const ring = { device: onDevice, form: form === 'af-xdp' ? form : 'packet-ring', port, addresses } as const;
  const died = (reason: string): void => {
    throw new Error(reason);
  };
  const engine = new RingEngine(
    { id: 1, ring, answers, log: createQueryLog() },
    { deferred: () => undefined, decided: () => undefined, died },
  );
  await engine.ready();
  await engine.setSources(sources);
  return engine;
}

const engine = device === '' ? await startSocket() : await startRing(device);
console.log('ready');
if (form === 'blocked') {
  const standStill = new Int32Array(new SharedArrayBuffer(4));
  setInterval(() => Atomics.wait(standStill, 0, 0, 20), 100);
}
process.on('SIGTERM', () => void engine.stop().then(() => process.exit(0)));
