// Benchmarks of DNS: one server after the other on core 0, a generator on core 1, over loopback, or (dns-ring.ts) a veth pair. All
// servers have the same zone and get the same questions.

import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { MEMBER_MODES } from '../../src/gtm/description.ts';
import type { ProgramBenchmark } from './benchmark.ts';
import { onCore, run, Running, type Command } from './command.ts';
import { DEVICE_CORE, PROGRAMS, STATE } from './device.ts';
import { MIX, RECORDS, type Scene, STATIC, wideIpScene } from './dns-scene.ts';
import { ORIGIN } from './dns-zone.ts';
import { TRAFFIC_CORE } from './traffic.ts';

const PROGRAM = fileURLToPath(new URL('./dns-program.js', import.meta.url));
export const PORT = 5300;
/** Questions on their way at a time. */
const WINDOW = 256;
const LATENCY_RATE = 10_000;
/** By hand: after four seconds nothing gets faster any more, of whichever server. */
const WARM_SECONDS = 4;

/** A directory with the zone and the questions, and what else a server needs. */
export function prepare(files: Record<string, string>, scene = STATIC): string {
  const directory = `${STATE}/dns`;
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(`${directory}/zones`, { recursive: true });
  mkdirSync(`${directory}/run`);
  const all = { 'zone.txt': scene.masterFile('other'), 'questions.txt': scene.questions(), ...files };
  for (const [name, text] of Object.entries(all)) writeFileSync(`${directory}/${name}`, text);
  return directory;
}

/** Where servers listen, and how commands reach that place and the one of the generator. */
export type Place = {
  address: string;
  inServer: (command: Command) => Command;
  inClient: (command: Command) => Command;
  /** How the generator sends, where not by sockets. */
  loadOptions: readonly string[];
  /** Once the server runs. */
  started: () => Promise<void>;
};

const LOOPBACK: Place = {
  address: '127.0.0.1',
  inServer: (command) => command,
  inClient: (command) => command,
  loadOptions: [],
  started: () => Promise.resolve(),
};

export type Server = {
  name: string;
  files: (directory: string, address: string, scene: Scene) => Record<string, string>;
  command: (directory: string, address: string, scene: Scene) => Command;
};

/** `dns-program.js` with an engine, and the device of one that takes frames. */
export const wideplaneCommand = (address: string, engine: string, device = '', { wideIps } = STATIC): Command => [
  ...[process.execPath, PROGRAM, address, String(PORT), String(RECORDS), engine, device, wideIps],
];

const WIDEPLANE: Server = {
  name: 'wideplane',
  files: () => ({}),
  command: (_directory, address, scene) => wideplaneCommand(address, 'socket', '', scene),
};

export const GDNSD: Server = {
  name: 'gdnsd',
  files: (directory, address, scene) => ({
    config: `options => { listen => ${address}:${PORT}, udp_threads => 1, tcp_threads => 1, run_dir => ${directory}/run, state_dir => ${directory}/run }\n${scene.gdnsd}`,
    [`zones/${ORIGIN}`]: scene.masterFile('gdnsd'),
  }),
  command: (directory) => ['gdnsd', '-c', directory, '-x', 'start'],
};

/** `more`: sections beside those that everybody needs. */
export const knotFiles = (directory: string, address: string, more = ''): Record<string, string> => ({
  'knot.conf': `server:\n  listen: ${address}@${PORT}\n  rundir: ${directory}/run\n  udp-workers: 1\n  tcp-workers: 1\n  background-workers: 1\n${more}database:\n  storage: ${directory}/run\nzone:\n  - domain: ${ORIGIN}\n    file: ${directory}/zone.txt\n    zonefile-sync: -1\n`,
});

export const KNOT: Server = {
  name: 'knot',
  files: (directory, address) => knotFiles(directory, address),
  command: (directory) => ['knotd', '-c', `${directory}/knot.conf`],
};

const NSD: Server = {
  name: 'nsd',
  files: (directory) => ({
    'nsd.conf': `server:\n  ip-address: 127.0.0.1@${PORT}\n  server-count: 1\n  username: root\n  zonesdir: "${directory}"\n  pidfile: "${directory}/run/nsd.pid"\n  xfrdfile: "${directory}/run/xfrd"\n  zonelistfile: "${directory}/run/zones"\n  database: ""\n  rrl-ratelimit: 0\nremote-control:\n  control-enable: no\nzone:\n  name: ${ORIGIN}\n  zonefile: zone.txt\n`,
  }),
  command: (directory) => ['nsd', '-d', '-c', `${directory}/nsd.conf`],
};

const NAMED: Server = {
  name: 'named',
  files: (directory) => ({
    'named.conf': `options { directory "${directory}"; pid-file none; session-keyfile none; listen-on port ${PORT} { 127.0.0.1; }; listen-on-v6 { none; }; recursion no; dnssec-validation no; notify no; minimal-responses yes; };\ncontrols { };\nzone "${ORIGIN}" { type primary; file "zone.txt"; };\n`,
  }),
  command: (directory) => ['named', '-g', '-n', '1', '-c', `${directory}/named.conf`],
};

/** named with the zone, for other kinds of questions; it may not answer yet. */
export async function startNamed(): Promise<{ directory: string; running: Running }> {
  const directory = prepare(NAMED.files(`${STATE}/dns`, LOOPBACK.address, STATIC));
  const command = onCore(DEVICE_CORE, NAMED.command(directory, LOOPBACK.address, STATIC));
  return { directory, running: await Running.start(command, (output) => output.includes(' running')) };
}

/** Starts a server, waits until it answers, and gives what `dns-load` prints of it. */
async function load(
  server: Server,
  options: readonly string[],
  { address, inServer, inClient, loadOptions, started }: Place = LOOPBACK,
  scene: Scene = STATIC,
): Promise<Record<string, number>> {
  const directory = prepare(server.files(`${STATE}/dns`, address, scene), scene);
  const running = await Running.start(inServer(onCore(DEVICE_CORE, server.command(directory, address, scene))));
  const ask = async (seconds: number, more: readonly string[]): Promise<Record<string, number>> => {
    const where = [
      '--server',
      address,
      '--port',
      String(PORT),
      '--questions',
      `${directory}/questions.txt`,
      '--core',
      TRAFFIC_CORE,
      ...loadOptions,
    ];
    const printed = await run(inClient([`${PROGRAMS}/dns-load`, ...where, '--seconds', String(seconds), ...more]));
    return JSON.parse(printed) as Record<string, number>;
  };
  try {
    // Until it is there, then until it is warm.
    for (let tries = 0; (await ask(0.3, ['--window', '64'])).answersPerSecond! < 1000; tries++) {
      if (tries > 50) throw new Error(`${server.name} does not answer:\n${running.output}`);
    }
    await started();
    await ask(WARM_SECONDS, ['--window', String(WINDOW)]);
    return await ask(Number(options[1]), options.slice(2));
  } finally {
    await running.stop();
  }
}

/** Thousands of answers a second. */
export const answersOf =
  (server: Server, place?: Place, scene?: Scene) =>
  async (measureMs: number): Promise<number> => {
    const options = ['--seconds', String(measureMs / 1000), '--window', String(WINDOW)];
    return (await load(server, options, place, scene)).answersPerSecond! / 1000;
  };

/** Microseconds until 99 of 100 answers have come. */
export const tailOf =
  (server: Server, place?: Place) =>
  async (measureMs: number): Promise<number> =>
    (await load(server, ['--seconds', String(measureMs / 1000), '--rate', String(LATENCY_RATE)], place)).p99Us!;

const UNIT = { unit: 'k answers/s', moreIsBetter: true } as const;

const against = (what: string, scene: Scene, peer: Server, atLeast: number): ProgramBenchmark => ({
  ...{ name: `dns-${what}-vs-${peer.name}`, ...UNIT, atLeast },
  own: answersOf(WIDEPLANE, undefined, scene),
  peer: { name: peer.name, measure: answersOf(peer, undefined, scene) },
});

/** Modes that answer; `none` and `drop-packet` do not. */
const MODES = MEMBER_MODES.filter((mode) => mode !== 'none' && mode !== 'drop-packet');
const MANY = 10_000;

export const DNS_BENCHMARKS: readonly ProgramBenchmark[] = [
  against('static', STATIC, GDNSD, 1),
  against('static', STATIC, KNOT, 1.3),
  against('static', STATIC, NSD, 1.3),
  against('static', STATIC, NAMED, 2.5),
  against('mix', MIX, GDNSD, 1),
  against('mix', MIX, KNOT, 1.3),
  against('mix', MIX, NSD, 1.3),
  against('mix', MIX, NAMED, 2.5),
  ...MODES.map((mode) => against(`wideip-${mode}`, wideIpScene(mode, 1), GDNSD, 0.95)),
  {
    ...{ name: 'dns-wideip-10k-vs-1', ...UNIT, atLeast: 0.7 },
    own: answersOf(WIDEPLANE, undefined, wideIpScene('ratio', MANY)),
    peer: { name: 'one wide IP', measure: answersOf(WIDEPLANE, undefined, wideIpScene('ratio', 1)) },
  },
  {
    ...{ name: 'dns-p99-vs-gdnsd', unit: 'µs', atLeast: 0.5, moreIsBetter: false },
    own: tailOf(WIDEPLANE),
    peer: { name: GDNSD.name, measure: tailOf(GDNSD) },
  },
];
