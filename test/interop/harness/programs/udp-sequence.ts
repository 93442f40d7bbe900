// Sends numbered datagrams at a steady rate, or receives them and reports gaps, losses and doubles.
//
//   udp-sequence send ADDRESS PORT PER-SECOND OCTETS
//   udp-sequence receive ADDRESS PORT       a JSON line on SIGUSR2, which also starts counting anew

import { createSocket } from 'node:dgram';

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

function receive(): void {
  const seen = new Set<number>();
  let highest = -1;
  let last: number | undefined;
  let counts = { received: 0, duplicates: 0, reordered: 0, lost: 0, largestGapMs: 0, senderPauseMs: 0 };
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
    counts.lost = base === undefined ? 0 : highest - base + 1 - distinct;
    console.log(JSON.stringify(counts));
    counts = { received: 0, duplicates: 0, reordered: 0, lost: 0, largestGapMs: 0, senderPauseMs: 0 };
    base = highest + 1;
  });
  socket.bind(Number(port), address, () => console.log('listening'));
}
