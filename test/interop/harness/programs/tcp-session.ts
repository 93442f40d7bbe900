// A TCP session that is used all the time: a line goes to and fro ten times a second, or from the server only.
//
//   tcp-session serve ADDRESS PORT
//   tcp-session push ADDRESS PORT                      sends without being asked, and never gets an answer
//   tcp-session connect ADDRESS PORT LOCAL-ADDRESS     on SIGUSR2 prints how many lines came back and the longest wait
//   tcp-session listen ADDRESS PORT LOCAL-ADDRESS      the same, but sends nothing

import { connect, createServer } from 'node:net';

const [mode, address, port, localAddress] = process.argv.slice(2);

if (mode === 'serve') {
  createServer((socket) => socket.pipe(socket)).listen(Number(port), address, () => console.log('listening'));
} else if (mode === 'push') {
  const server = createServer((socket) => setInterval(() => socket.write('x'), 100));
  server.listen(Number(port), address, () => console.log('listening'));
} else {
  let echoed = 0;
  let stalledMs = 0;
  let last = performance.now();
  const socket = connect({ host: address!, port: Number(port), localAddress: localAddress! }, () => {
    console.log('connected');
    if (mode === 'connect') setInterval(() => socket.write('x'), 100);
  });
  socket.on('data', (data) => {
    const now = performance.now();
    stalledMs = Math.max(stalledMs, now - last);
    last = now;
    echoed += data.length;
  });
  socket.on('close', () => {
    console.log('closed');
    process.exit(1);
  });
  process.on('SIGUSR2', () => console.log(`echoed ${echoed} stalled ${Math.round(stalledMs)} ms`));
}
