// The server that `dns-*` measures: one engine with one zone, until it is ended.
//
//   node dns-program.js ADDRESS PORT RECORDS socket
//   node dns-program.js ADDRESS PORT RECORDS packet-ring|af-xdp DEVICE

import { RingEngine } from '../../src/assembly/dnsd/ring-engine.ts';
import { SocketEngine } from '../../src/assembly/dnsd/socket-engine.ts';
import { parseIpv4 } from '../../src/core/address.ts';
import { write32 } from '../../src/core/octets.ts';
import { buildZoneTable } from '../../src/dns/zone-builder.ts';
import { benchZone } from './dns-zone.ts';

const [address, portText, records, engineName, device] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
  string,
];
const port = Number(portText);
// Everything on: cookies and the name of the server cost those who ask for them.
const responder = {
  unhandled: 'reject',
  udpOctets: 1232,
  nsid: new Uint8Array(Buffer.from('bench')),
  cookieKey: new Uint8Array(16),
} as const;
const zones = [buildZoneTable(benchZone(Number(records)))];

function makeEngine(): SocketEngine | RingEngine {
  if (engineName === 'socket') return new SocketEngine({ socket: { family: 4, address, port }, responder, zones });
  const octets = new Uint8Array(4);
  write32(octets, 0, parseIpv4(address)!);
  const form = engineName === 'af-xdp' ? 'af-xdp' : 'packet-ring';
  return new RingEngine({ ring: { device, form, port, addresses: [octets] }, responder, zones });
}

const engine = makeEngine();
await engine.listening();
console.log('ready');
process.on('SIGTERM', () => void engine.stop().then(() => process.exit(0)));
