// Benchmarks of the mesh against budgets: what many peers cost the machine that dials them, over TLS as iqueryd has it, and how soon a
// mesh of 200 machines is whole again, of a simulated clock.

import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import type { Log } from '../../src/core/log.ts';
import { IpcClient } from '../../src/ipc/ipc-client.ts';
import { addToBundleFile } from '../../src/trust/bundle-file.ts';
import { bundleOf, trustRoot } from '../../src/trust/layout.ts';
import { TrustStore } from '../../src/trust/trust-store.ts';
import { healOf } from '../support/mesh-heal.ts';
import type { ProgramBenchmark } from './benchmark.ts';
import { type Command, onCore, pause, Running } from './command.ts';
import { cpuTimeOf } from './cpu-time.ts';
import { DEVICE_CORE, STATE, WIDEPLANE } from './device.ts';
import { proportionalOctets } from './large.ts';
import { TRAFFIC_CORE } from './traffic.ts';

const PEERS = 50;
const VIRTUALS = 200;
const HEARTBEAT_MS = 10_000;
/** The daemon does not listen where the peers do. */
const PORT = 4353;
const OWN_ADDRESS = '127.0.0.1';
const PROGRAM = 'dist/test/bench/iquery-peers-program.js';
/** For all connections, and for what is published to be there. */
const DEADLINE_MS = 60_000;
const SETTLE_MS = 2 * HEARTBEAT_MS;

const HEALING_MACHINES = 200;
const HEAL_LIMIT_S = 15;

const directory = `${STATE}/iqueryd`;

export const peerAddress = (peer: number): string => `127.77.0.${peer + 1}`;

function configuration(): string {
  const servers = Array.from(
    { length: PEERS },
    (_, peer) =>
      `gtm server peer-${peer} {\n    datacenter east\n    product bigip\n` +
      `    devices { peer-${peer} { addresses { ${peerAddress(peer)} { } } } }\n}\n`,
  );
  return (
    `sys db iqueryd.address { value "${OWN_ADDRESS}" }\nsys db iqueryd.port { value "${PORT}" }\n` +
    `gtm datacenter east { }\n${servers.join('')}`
  );
}

const quiet = (): void => undefined;
const LOG: Log = { debug: quiet, info: quiet, warn: quiet, error: quiet };

/** Each side's certificate in the other's bundle. */
async function introduce(state: string, peers: string): Promise<void> {
  const options = { now: () => new Date(), log: LOG };
  const [own, others] = [
    await TrustStore.open(trustRoot(state), { ...options, hostname: 'bench' }),
    await TrustStore.open(peers, { ...options, hostname: 'peers' }),
  ];
  await addToBundleFile(bundleOf(own.layout, 'server'), [others.identity.leaf]);
  await addToBundleFile(bundleOf(others.layout, 'client'), [own.identity.leaf]);
  own.close();
  others.close();
}

/** Virtual servers of which iqueryd knows how loaded they are. */
async function heard(state: string): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  const client = await IpcClient.connect(`${state}/iqueryd.sock`);
  const keys = new Set<string>();
  try {
    for await (const { virtuals } of client.stream('mesh-states', {})) {
      for (const { server, name } of virtuals) keys.add(`${server} ${name}`);
      if (keys.size === PEERS * VIRTUALS) return;
      if (performance.now() > deadline)
        throw new Error(`of ${PEERS * VIRTUALS} virtual servers ${keys.size} are heard of`);
    }
  } finally {
    client.close();
  }
}

type Cost = { readonly percentOfCore: number; readonly megabytes: number };

/** Once everybody is heard, over whole heartbeats. */
async function measure(measureMs: number): Promise<Cost> {
  const state = `${directory}/state`;
  const peers = `${directory}/peers`;
  rmSync(directory, { recursive: true, force: true });
  for (const each of [state, peers, trustRoot(state)]) mkdirSync(each, { recursive: true, mode: 0o700 });
  writeFileSync(`${directory}/wideplane.conf`, configuration());
  await introduce(state, peers);
  const daemon = (...args: string[]): Command => [process.execPath, WIDEPLANE, 'run', ...args, '--state', state];
  const serves = (output: string): boolean => output.includes('serves ');
  const started: Running[] = [];
  try {
    const program = [process.execPath, PROGRAM, peers, ...[PEERS, VIRTUALS, PORT, HEARTBEAT_MS].map(String)];
    started.push(await Running.start(onCore(Number(TRAFFIC_CORE), program), (output) => output.includes('ready')));
    started.push(await Running.start(daemon('configd', '--config', `${directory}/wideplane.conf`), serves));
    const iqueryd = await Running.start(onCore(DEVICE_CORE, daemon('iqueryd')), serves);
    started.push(iqueryd);
    await heard(state).catch((error: unknown) => {
      throw new Error(started.map(({ output }) => output).join('\n'), { cause: error });
    });
    await pause(SETTLE_MS);
    const [cpuBefore, begun] = [await cpuTimeOf(iqueryd.pid), performance.now()];
    await pause(HEARTBEAT_MS * Math.max(2, Math.ceil(measureMs / HEARTBEAT_MS)));
    const [cpuAfter, ended] = [await cpuTimeOf(iqueryd.pid), performance.now()];
    return {
      percentOfCore: (100 * Number(cpuAfter - cpuBefore)) / 1e6 / (ended - begun),
      megabytes: (await proportionalOctets(iqueryd.pid)) / 1e6,
    };
  } finally {
    for (const each of started.reverse()) await each.stop();
    if (existsSync(directory)) rmSync(directory, { recursive: true, force: true });
  }
}

const budget = (name: string, unit: string, limit: number, pick: (cost: Cost) => number): ProgramBenchmark => ({
  ...{ name, unit, atLeast: 1, moreIsBetter: false, regardlessOfLoad: true },
  own: async (measureMs) => pick(await measure(measureMs)),
  peer: { name: 'budget', measure: () => Promise.resolve(limit) },
});

/** Every round by another seed. */
let healed = 0;

export const IQUERY_BENCHMARKS: readonly ProgramBenchmark[] = [
  budget('iquery-10000-vs-50-peers', '% of a core', 10, ({ percentOfCore }) => percentOfCore),
  budget('iquery-10000-vs-50-peers-memory', 'MB', 150, ({ megabytes }) => megabytes),
  {
    ...{ name: 'iquery-mesh-heals', unit: 's', atLeast: 1, moreIsBetter: false, regardlessOfLoad: true },
    own: () => Promise.resolve(healOf(HEALING_MACHINES, ++healed).healMs / 1000),
    peer: { name: 'budget', measure: () => Promise.resolve(HEAL_LIMIT_S) },
  },
];
