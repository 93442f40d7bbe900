// Benchmark of healthd against a budget: what thousands of echo requests cost it, as `wideplane up` runs it.
//
//   namespace of the daemons               namespace of the targets
//   10.9.0.1 h0 ═════════════════════════ t0 10.9.0.2, and all of 10.100.0.0/16
//
// What a veth pair does when a packet arrives happens in the context of whoever sends: what the targets' kernel does with an echo
// request, and healthd's with the reply, counts as healthd's.

import type { ProgramBenchmark } from './benchmark.ts';
import { inNamespace, pause, run, runAll } from './command.ts';
import { cpuTimeOf } from './cpu-time.ts';
import { startUp, type Up } from './health-up.ts';
import { daemonOf } from './large.ts';

const DAEMONS = 'health-daemons';
const TARGETS = 'health-targets';
const TARGET_ADDRESS = '10.9.0.2';
const ICMP_TARGETS = 10_000;
/** Of the monitor `icmp` of ltm. */
const INTERVAL_SECONDS = 5;
const ICMP_LIMIT_CORES = 0.25;
const READY_MS = 120_000;

/** Address of the n-th target. */
const addressOf = (index: number): string => `10.100.${index >> 8}.${index & 255}`;

const icmpConfiguration = (count: number): string =>
  Array.from(
    { length: count },
    (_, index) => `ltm node /Common/n${index} { address ${addressOf(index + 1)} monitor /Common/icmp }\n`,
  ).join('');

/** `wideplane up` in a namespace, and another one in which all targets are. */
class HealthScene {
  readonly #up: Up;

  private constructor(up: Up) {
    this.#up = up;
  }

  /** Resolves when healthd is ready. */
  static async start(configuration: string): Promise<HealthScene> {
    for (const space of [DAEMONS, TARGETS]) await run(['ip', 'netns', 'add', space]);
    await runAll([
      ['ip', 'link', 'add', 'h0', 'netns', DAEMONS, 'type', 'veth', 'peer', 'name', 't0', 'netns', TARGETS],
      ...[
        [DAEMONS, 'h0', '10.9.0.1'],
        [TARGETS, 't0', TARGET_ADDRESS],
      ].flatMap(([space = '', device = '', address = '']) => [
        ['ip', '-n', space, 'link', 'set', 'lo', 'up'],
        ['ip', '-n', space, 'link', 'set', device, 'up'],
        ['ip', '-n', space, 'address', 'add', `${address}/24`, 'dev', device],
      ]),
      ['ip', '-n', DAEMONS, 'route', 'add', '10.100.0.0/16', 'via', TARGET_ADDRESS],
      ['ip', '-n', TARGETS, 'route', 'add', 'local', '10.100.0.0/16', 'dev', 'lo'],
    ]);
    const up = await startUp('health-icmp', configuration, ['healthd'], (command) => inNamespace(DAEMONS, command));
    return new HealthScene(up);
  }

  get output(): string {
    return this.#up.running.output;
  }

  healthd(): Promise<number> {
    return daemonOf({ name: 'wideplane', state: this.#up.directory }, 'healthd');
  }

  async stop(): Promise<void> {
    await this.#up.running.stop();
    for (const space of [DAEMONS, TARGETS]) await run(['ip', 'netns', 'delete', space]);
  }
}

/** Echo requests that the targets have got. */
async function echoesReceived(): Promise<number> {
  const text = await run(inNamespace(TARGETS, ['cat', '/proc/net/snmp']));
  const [names = [], values = []] = text
    .split('\n')
    .filter((line) => line.startsWith('Icmp: '))
    .map((line) => line.split(' '));
  return Number(values[names.indexOf('InEchos')]);
}

/** Cores that healthd takes over some intervals of 10,000 probes. */
async function measureIcmp(measureMs: number): Promise<number> {
  const scene = await HealthScene.start(icmpConfiguration(ICMP_TARGETS));
  try {
    const pid = await scene.healthd();
    // Until each has been probed, and the phases are as they stay.
    const deadline = performance.now() + READY_MS;
    while ((await echoesReceived()) < 2 * ICMP_TARGETS) {
      if (performance.now() > deadline) throw new Error(`healthd does not probe:\n${scene.output}`);
      await pause(500);
    }
    const seconds = INTERVAL_SECONDS * Math.max(2, Math.ceil(measureMs / 1000 / INTERVAL_SECONDS));
    const [cpu, echoes, start] = [await cpuTimeOf(pid), await echoesReceived(), performance.now()];
    await pause(seconds * 1000);
    const used = Number((await cpuTimeOf(pid)) - cpu) / 1e9;
    const passed = (performance.now() - start) / 1000;
    const probes = (await echoesReceived()) - echoes;
    const wanted = (ICMP_TARGETS / INTERVAL_SECONDS) * passed;
    if (probes < 0.95 * wanted) throw new Error(`${probes} probes where ${Math.round(wanted)} were due`);
    return used / passed;
  } finally {
    await scene.stop();
  }
}

export const HEALTH_ICMP_BENCHMARKS: readonly ProgramBenchmark[] = [
  {
    ...{ name: 'health-icmp-10000', unit: 'cores', atLeast: 1, moreIsBetter: false, own: measureIcmp },
    peer: { name: 'budget', measure: () => Promise.resolve(ICMP_LIMIT_CORES) },
  },
];
