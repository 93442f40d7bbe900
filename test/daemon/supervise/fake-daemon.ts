// A daemon that does nothing but answer on its socket: `fake-daemon.js NAME STATE`.
//
// A file STATE/NAME.behaviour changes it: `refuse` ends with EX_CONFIG at once, `die` with status 3, `stubborn` ignores
// SIGTERM, `mute` never answers.

import { existsSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { createServer } from 'node:net';

const [name, state] = process.argv.slice(2) as [string, string];
const file = `${state}/${name}.behaviour`;
const behaviour = existsSync(file) ? readFileSync(file, 'utf8').trim() : '';

const say = (message: string): void =>
  void writeSync(
    1,
    `${JSON.stringify({ level: 'info', time: new Date().toISOString(), daemon: name, msg: message })}\n`,
  );

say(`fake ${name} starts`);
writeSync(2, `plain words of ${name}\n`);
if (behaviour === 'refuse') process.exit(78);
if (behaviour === 'die') process.exit(3);

process.on('SIGTERM', () => {
  say('SIGTERM');
  if (behaviour !== 'stubborn') process.exit(0);
});
const socket = `${state}/${name}.sock`;
rmSync(socket, { force: true });
if (behaviour === 'mute') setInterval(() => undefined, 1000);
else createServer().listen(socket);
