// Sends numbered datagrams at a steady rate, or receives them and reports gaps, losses and doubles.
//
//   udp-sequence send ADDRESS PORT PER-SECOND OCTETS
//   udp-sequence receive ADDRESS PORT       a JSON line on SIGUSR2, which also starts counting anew
//
// What came to a socket whose program was not given a processor in time was not lost on the way, and counts as overflowed.

import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';

const [mode, address, port, perSecond, octets] = process.argv.slice(2);
const socket = createSocket(address!.includes(':') ? 'udp6' : 'udp4');
process.on('SIGTERM', () => process.exit(0));

if (mode === 'send') send(Number(perSecond), Number(octets));
else receive();

function send(rate: number, size: number): void {
  const started = performance.now();
  const datagram = Buffer.alloc(size);
  let sent = 0;
  let last = started;
  // A timer may come late: the clock says how many are due. A refusal (no route yet, queue full) counts as lost.
  setInterval(() => {
    const now = performance.now();
    const due = Math.floor(((now - started) / 1000) * rate);
    const pauseMs = Math.round(now - last);
    last = now;
    while (sent < due) {
      datagram.writeUInt32BE(sent++, 0);
      datagram.writeUInt32BE(pauseMs, 4);
      socket.send(Buffer.from(datagram), Number(port), address, () => undefined);
    }
  }, 1);
}

/** Datagrams of this namespace that its sockets had no room for. */
function overflows(): number {
  const [names, values] = readFileSync('/proc/net/snmp', 'utf8')
    .match(/^Udp: .*$/gm)!
    .map((line) => line.split(' '));
  const ipv6 = /^Udp6RcvbufErrors\s+(\d+)$/m.exec(readFileSync('/proc/net/snmp6', 'utf8'))?.[1] ?? 0;
  return Number(values![names!.indexOf('RcvbufErrors')]) + Number(ipv6);
}

function receive(): void {
  const seen = new Set<number>();
  let highest = -1;
  let last: number | undefined;
  const none = { received: 0, duplicates: 0, reordered: 0, lost: 0, overflowed: 0, largestGapMs: 0, senderPauseMs: 0 };
  let counts = { ...none };
  let overflowed = overflows();
  let base: number | undefined;

  const noteGap = (now: number): void => {
    if (last !== undefined) counts.largestGapMs = Math.max(counts.largestGapMs, Math.round(now - last));
  };

  socket.on('message', (datagram) => {
    const now = performance.now();
    noteGap(now);
    last = now;
    const number = datagram.readUInt32BE(0);
    counts.senderPauseMs = Math.max(counts.senderPauseMs, datagram.readUInt32BE(4));
    if (base === undefined) console.log('first');
    base ??= number;
    counts.received++;
    if (seen.has(number)) counts.duplicates++;
    else if (number < highest) counts.reordered++;
    seen.add(number);
    highest = Math.max(highest, number);
  });
  process.on('SIGUSR2', () => {
    noteGap(performance.now());
    const distinct = [...seen].filter((number) => base !== undefined && number >= base).length;
    counts.overflowed = overflows() - overflowed;
    counts.lost = base === undefined ? 0 : Math.max(0, highest - base + 1 - distinct - counts.overflowed);
    console.log(JSON.stringify(counts));
    overflowed += counts.overflowed;
    counts = { ...none };
    base = highest + 1;
  });
  socket.bind(Number(port), address, () => console.log('listening'));
}
