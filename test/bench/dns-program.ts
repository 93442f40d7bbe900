// The server that `dns-*` measures: the engine on sockets with one zone, on a port of loopback, until it is ended.
//
//   node dns-program.js PORT RECORDS [blocked]     blocked: its main thread stands still for 20 of every 100 ms

import { buildZoneTable } from '../../src/dns/zone-builder.ts';
import { OneListener } from '../support/dns-engine.ts';
import { benchZone } from './dns-zone.ts';

const [port, records] = process.argv.slice(2).map(Number) as [number, number];
const engine = new OneListener();
// Everything on: cookies and the name of the server cost those who ask for them.
const answers = {
  unhandled: 'reject',
  udpOctets: 1232,
  nsid: new Uint8Array(Buffer.from('bench')),
  cookieKey: new Uint8Array(16),
} as const;
await engine.serve({ family: 4, address: '127.0.0.1', port }, answers, [buildZoneTable(benchZone(records))]);
console.log('ready');
if (process.argv[4] === 'blocked') {
  const standStill = new Int32Array(new SharedArrayBuffer(4));
  setInterval(() => Atomics.wait(standStill, 0, 0, 20), 100);
}
process.on('SIGTERM', () => void engine.stop().then(() => process.exit(0)));
