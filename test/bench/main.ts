// `npm run bench`: peers and wideplane in turns in one run; the options are in USAGE.
//
// Each benchmark has its own topologies: one for wideplane, one for the peer, one for the C forwarder. All devices stay up
// for the whole benchmark, and the rounds go from one to the next, every second round in the opposite order.

import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

import { BENCHMARKS, CONTROL_OCTETS, peerNameOf } from './benchmark.ts';
import { startCForwarder, startWideplane } from './device.ts';
import { awaitRest, isQuiet } from './quiet.ts';
import { describeRound, reaches, resultOf, tableOf } from './result.ts';
import { Topology } from './topology.ts';
import { awaitForwarding, canSegment, measureThroughput } from './traffic.ts';
import type { Bench, Benchmark } from './benchmark.ts';
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
const pairs = Math.max(5, Number(options.pairs) || 0);
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

async function runBenchmark(benchmark: Benchmark): Promise<Result> {
  const benches: Bench[] = [];
  const start = async (name: string, startDevice: StartDevice, directions: Benchmark['directions']): Promise<Bench> => {
    const topology = await Topology.create(name);
    await canSegment(topology);
    if (benchmark.discard) await topology.discardArrivals();
    const bench = { topology, device: await startDevice(topology) };
    benches.push(bench);
    await awaitForwarding(topology, directions).catch((error: unknown) => {
      throw new Error(`${name} printed:\n${bench.device.log()}`, { cause: error });
    });
    return bench;
  };
  try {
    const control = await start('control', startCForwarder, ['encapsulate']);
    const wideplane = await start('wideplane', benchmark.device ?? startWideplane, benchmark.directions);
    const { peer } = benchmark;
    const peerBench =
      typeof peer === 'object' && 'start' in peer
        ? await start(peer.name, peer.start, benchmark.directions)
        : undefined;
    const rounds: Round[] = [];
    // A disturbed round is kept and one more is run, but nobody waits forever for a machine to come to rest.
    while (quietRounds(benchmark, rounds) < pairs && rounds.length < 2 * pairs) {
      const round = await runRound(benchmark, control, wideplane, peerBench, rounds.length % 2 === 0);
      rounds.push(round);
      console.log(describeRound(round, benchmark, rounds.length));
    }
    return resultOf(benchmark, rounds, bestMpps, pairs);
  } finally {
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
  wideplaneBench: Bench,
  peerBench: Bench | undefined,
  wideplaneFirst: boolean,
): Promise<Round> {
  const busyBefore = await awaitRest();
  const measureOthers = async (): Promise<{ peer: number; forwarderMpps: number }> => {
    const forwarderMpps = await measureForwarder(controlBench);
    const { peer } = benchmark;
    if (peerBench !== undefined) return { forwarderMpps, peer: await benchmark.measure(peerBench, measureMs) };
    return { forwarderMpps, peer: typeof peer === 'object' && 'limit' in peer ? peer.limit : forwarderMpps };
  };
  if (wideplaneFirst) {
    const wideplane = await benchmark.measure(wideplaneBench, measureMs);
    const { peer, forwarderMpps } = await measureOthers();
    return { wideplane, peer, control: { forwarderMpps, busyBefore } };
  }
  const { peer, forwarderMpps } = await measureOthers();
  return {
    wideplane: await benchmark.measure(wideplaneBench, measureMs),
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
