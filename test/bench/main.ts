// `npm run bench`: peers and wideplane in turns in one run; the options are in USAGE.
//
// Each benchmark has its own topologies: one for wideplane, one for the peer, one for the C forwarder. All devices stay up
// for the whole benchmark, and the rounds go from one to the next, every second round in the opposite order.

import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

import { BENCHMARKS, CONTROL_OCTETS, isBulk, isProgram, peerNameOf } from './benchmark.ts';
import { BulkPair } from './bulk.ts';
import { startCForwarder, startWideplane } from './device.ts';
import { awaitRest, isQuiet } from './quiet.ts';
import { describeRound, reaches, resultOf, tableOf } from './result.ts';
import { Topology } from './topology.ts';
import { awaitForwarding, canSegment, measureThroughput } from './traffic.ts';
import type { Bench, Benchmark, BulkBenchmark, DeviceBenchmark } from './benchmark.ts';
import type { StartDevice } from './device.ts';
import type { Result, Round } from './result.ts';

const USAGE = `npm run bench -- [options]
  --only PATTERN   the benchmarks whose name matches this regular expression
  --json FILE      write the results as an array of { name, unit, wideplane, peer, peerName, ratio, quiet, ... }
  --pairs N        quiet rounds a benchmark (default 5, at least 5)
  --seconds S      length of one measurement (default 1)
  --strict         exit 1 when a quiet run misses what it shall reach
  --list           print the names
`;

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    json: { type: 'string' },
    pairs: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '1' },
    strict: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const wantedRounds = Math.max(5, Number(options.pairs) || 0);
const measureMs = Math.max(100, Number(options.seconds) * 1000 || 1000);
const selected = BENCHMARKS.filter(({ name }) => new RegExp(options.only).test(name));

/** The best that the C forwarder reached in this run, in Mpps. */
let bestMpps = 0;

if (options.help) process.stdout.write(USAGE);
else if (options.list) console.log(selected.map(({ name }) => name).join('\n'));
else if (selected.length === 0) {
  console.error(`--only ${options.only}: no benchmark has such a name; --list prints them`);
  process.exitCode = 2;
} else await runSelected();

async function runSelected(): Promise<void> {
  const results: Result[] = [];
  for (const benchmark of selected) {
    console.log(`${benchmark.name}: wideplane against ${peerNameOf(benchmark)}`);
    const result = await runBenchmark(benchmark);
    results.push(result);
    console.log(`  medians: ${result.wideplane.toPrecision(3)} against ${result.peer.toPrecision(3)}`);
    console.log(`  ratio ${result.ratio.toFixed(2)}, at least ${result.atLeast}${result.quiet ? '' : '; not quiet'}`);
    if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(results, undefined, 2)}\n`);
  }
  console.log(`\n${tableOf(results)}\n`);
  console.log(
    'Generator and sink share core 1, the device under test has core 0. Kernel VXLAN on veth does its work on the core of\n' +
      'the sender, so it shares core 1 with the generator, and core 0 stays idle.',
  );
  if (options.strict && results.some((result) => result.quiet && !reaches(result))) process.exitCode = 1;
}

/** What a round measures: wideplane, and the peer where it has to be measured. */
type Contestants = { wideplane: Contestant; peer: Contestant | undefined };
type Contestant = (measureMs: number) => Promise<number>;

async function runBenchmark(benchmark: Benchmark): Promise<Result> {
  const benches: Bench[] = [];
  const pairs: BulkPair[] = [];
  const start = async (
    name: string,
    startDevice: StartDevice,
    { directions, discard }: Pick<DeviceBenchmark, 'directions' | 'discard'>,
  ): Promise<Bench> => {
    const topology = await Topology.create(name);
    await canSegment(topology);
    if (discard) await topology.discardArrivals();
    const bench = { topology, device: await startDevice(topology) };
    benches.push(bench);
    await awaitForwarding(topology, directions, bench.device).catch((error: unknown) => {
      throw new Error(`${name} printed:\n${bench.device.log()}`, { cause: error });
    });
    return bench;
  };
  const startDevices = async (device: DeviceBenchmark): Promise<Contestants> => {
    const wideplane = await start('wideplane', device.start ?? startWideplane, device);
    const { peer } = device;
    const other = typeof peer === 'object' && 'start' in peer ? await start(peer.name, peer.start, device) : undefined;
    return {
      wideplane: (ms) => device.measure(wideplane, ms),
      peer: other === undefined ? undefined : (ms) => device.measure(other, ms),
    };
  };
  const startEnds = async ({ wideplane, peer, wire }: BulkBenchmark): Promise<Contestants> => {
    pairs.push(await BulkPair.open('wideplane', wideplane, wire), await BulkPair.open(peer.name, peer.startEnd, wire));
    return { wideplane: (ms) => pairs[0]!.measure(ms), peer: (ms) => pairs[1]!.measure(ms) };
  };
  try {
    const control = await start('control', startCForwarder, { directions: ['encapsulate'], discard: true });
    const contestants = isProgram(benchmark)
      ? { wideplane: benchmark.own, peer: benchmark.peer.measure }
      : isBulk(benchmark)
        ? await startEnds(benchmark)
        : await startDevices(benchmark);
    const rounds: Round[] = [];
    // A disturbed round is kept and one more is run, but nobody waits forever for a machine to come to rest.
    while (quietRounds(benchmark, rounds) < wantedRounds && rounds.length < 2 * wantedRounds) {
      const round = await runRound(benchmark, control, contestants, rounds.length % 2 === 0);
      rounds.push(round);
      console.log(describeRound(round, benchmark, rounds.length));
    }
    return resultOf(benchmark, rounds, bestMpps, wantedRounds);
  } finally {
    for (const pair of pairs.reverse()) await pair.stop();
    for (const { device, topology } of benches.reverse()) {
      await device.stop();
      await topology.remove();
    }
  }
}

function quietRounds(benchmark: Benchmark, rounds: readonly Round[]): number {
  return rounds.filter(({ control }) => benchmark.regardlessOfLoad === true || isQuiet(control, bestMpps)).length;
}

/** One measurement of each device; the C forwarder is measured with the peer, for it may be the peer. */
async function runRound(
  benchmark: Benchmark,
  controlBench: Bench,
  contestants: Contestants,
  wideplaneFirst: boolean,
): Promise<Round> {
  const busyBefore = await awaitRest();
  const measureOthers = async (): Promise<{ peer: number; forwarderMpps: number }> => {
    const forwarderMpps = await measureForwarder(controlBench);
    const { peer } = benchmark;
    if (contestants.peer !== undefined) return { forwarderMpps, peer: await contestants.peer(measureMs) };
    return { forwarderMpps, peer: typeof peer === 'object' && 'limit' in peer ? peer.limit : forwarderMpps };
  };
  if (wideplaneFirst) {
    const wideplane = await contestants.wideplane(measureMs);
    const { peer, forwarderMpps } = await measureOthers();
    return { wideplane, peer, control: { forwarderMpps, busyBefore } };
  }
  const { peer, forwarderMpps } = await measureOthers();
  return {
    wideplane: await contestants.wideplane(measureMs),
    peer,
    control: { forwarderMpps, busyBefore },
  };
}

async function measureForwarder({ topology }: Bench): Promise<number> {
  const measured = await measureThroughput(topology, 'encapsulate', CONTROL_OCTETS, measureMs, CONTROL_OCTETS);
  const forwarderMpps = measured.framesPerSecond / 1e6;
  bestMpps = Math.max(bestMpps, forwarderMpps);
  return forwarderMpps;
}
