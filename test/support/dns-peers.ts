// Name servers that are not ours, with zones of the test, in the network namespace of the test.

import { spawn, type ChildProcess } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { masterFile, type TestZone } from './dns-zones.ts';
import { queryOf } from './dns.ts';

const READY_MS = 30_000;

/** Response rate limiting, with the server's defaults otherwise. */
export type PeerLimit = { readonly perSecond: number; readonly slip: number };

export class NameServer {
  readonly port: number;
  readonly #child: ChildProcess;
  #log = '';

  private constructor(port: number, command: string, args: readonly string[]) {
    this.port = port;
    this.#child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.#child.stdout!, this.#child.stderr!]) {
      stream.setEncoding('utf8').on('data', (text: string) => (this.#log += text));
    }
  }

  static async named(zones: readonly TestZone[], port: number, limit?: PeerLimit): Promise<NameServer> {
    const directory = mkdtempSync(join(tmpdir(), 'named-'));
    const listen = `listen-on port ${port} { 127.0.0.1; }; listen-on-v6 { none; };`;
    const ways = 'recursion no; dnssec-validation no; notify no; minimal-responses yes; minimal-any yes;';
    const rate =
      limit === undefined
        ? ''
        : `rate-limit { responses-per-second ${limit.perSecond}; slip ${limit.slip}; window 1; };`;
    const place = `directory "${directory}"; pid-file none; session-keyfile none;`;
    const list = zones.map(({ origin }) => `zone "${origin}" { type primary; file "${origin}.zone"; };\n`);
    // What the zones have is what they are to have: names are not checked, order stays.
    const options = `options { ${place} ${listen} ${ways} ${rate} check-names primary ignore; querylog yes; rrset-order { order none; }; };\n`;
    writeFileSync(join(directory, 'named.conf'), `${options}controls { };\n${list.join('')}`);
    writeZones(directory, zones);
    const server = new NameServer(port, 'named', ['-g', '-n', '1', '-c', join(directory, 'named.conf')]);
    await server.#ready(zones);
    return server;
  }

  static async knot(zones: readonly TestZone[], port: number, limit?: PeerLimit): Promise<NameServer> {
    const directory = mkdtempSync(join(tmpdir(), 'knot-'));
    mkdirSync(join(directory, 'db'));
    const list = zones.map(({ origin }) => `  - domain: ${origin}\n    file: ${origin}.zone\n`);
    const module =
      limit === undefined
        ? ''
        : `mod-rrl:\n  - id: limit\n    rate-limit: ${limit.perSecond}\n    slip: ${limit.slip}\n`;
    const uses = limit === undefined ? '' : '    global-module: mod-rrl/limit\n';
    writeFileSync(
      join(directory, 'knot.conf'),
      `server:\n  listen: 127.0.0.1@${port}\n  rundir: ${directory}\nlog:\n  - target: stderr\n    any: warning\n` +
        `database:\n  storage: ${directory}/db\n${module}` +
        `template:\n  - id: default\n    storage: ${directory}\n    zonefile-sync: -1\n${uses}` +
        `zone:\n${list.join('')}`,
    );
    writeZones(directory, zones);
    const server = new NameServer(port, 'knotd', ['-c', join(directory, 'knot.conf')]);
    await server.#ready(zones);
    return server;
  }

  /** `plugins`: that section of its configuration. `zone`: what stands in the master file behind the SOA. `down`: addresses. */
  static async gdnsd(
    { origin, plugins, zone, down }: { origin: string; plugins: string; zone: string; down: readonly string[] },
    port: number,
  ): Promise<NameServer> {
    const directory = mkdtempSync(join(tmpdir(), 'gdnsd-'));
    const run = join(directory, 'run');
    for (const made of [run, join(directory, 'zones')]) mkdirSync(made);
    writeFileSync(
      join(directory, 'config'),
      `options => { listen => 127.0.0.1:${port}, udp_threads => 1, tcp_threads => 1, run_dir => ${run}, state_dir => ${run} }\n` +
        `plugins => { ${plugins} }\n`,
    );
    writeFileSync(join(run, 'admin_state'), down.map((address) => `${address}/up => DOWN\n`).join(''));
    writeFileSync(
      join(directory, 'zones', origin),
      `$TTL 30\n@ SOA ns host 1 7200 600 86400 300\n@ NS ns\nns A 127.0.0.1\n${zone}`,
    );
    const server = new NameServer(port, 'gdnsd', ['-c', directory, 'start']);
    await server.#ready([{ origin }]);
    return server;
  }

  /** Until it answers for the last zone: one that was refused is said so by its log. */
  async #ready(zones: readonly { readonly origin: string }[]): Promise<void> {
    const deadline = performance.now() + READY_MS;
    for (const { origin } of zones) {
      for (;;) {
        const [answer] = await ask(this.port, [queryOf({ name: origin, type: 'SOA' })], 500);
        // NOERROR.
        if (answer !== undefined && (answer[3]! & 15) === 0) break;
        if (performance.now() > deadline) throw new Error(`${origin} is not served: ${this.#log}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  /** What it has said so far; of named, each query. */
  get log(): string {
    return this.#log;
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGTERM');
    await ended;
  }
}

function writeZones(directory: string, zones: readonly TestZone[]): void {
  for (const zone of zones) writeFileSync(join(directory, `${zone.origin}.zone`), masterFile(zone));
}

/** The answers of a server on this machine to queries, by UDP; undefined for those that it does not answer in time. */
export async function ask(
  port: number,
  queries: readonly Uint8Array[],
  timeoutMs = 10_000,
): Promise<(Uint8Array | undefined)[]> {
  const socket = createSocket('udp4');
  const answers: (Uint8Array | undefined)[] = queries.map(() => undefined);
  let missing = queries.length;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, timeoutMs);
    const done = (): void => {
      clearTimeout(timer);
      resolve();
    };
    let next = 0;
    const send = (): void => {
      if (next === queries.length) return;
      const octets = Buffer.from(queries[next]!);
      octets.writeUInt16BE(next++, 0);
      socket.send(octets, port, '127.0.0.1');
    };
    socket.on('message', (message) => {
      const index = message.readUInt16BE(0);
      if (answers[index] !== undefined) return;
      answers[index] = message;
      if (--missing === 0) done();
      send();
    });
    // Nobody listens yet.
    socket.on('error', done);
    // Few at once, so that nothing is lost.
    for (let count = 0; count < 20; count++) send();
  });
  socket.close();
  return answers;
}
