// Benchmarks of topology against budgets: what a query pays for it, and a change of the configuration.

import { fileURLToPath } from 'node:url';
import type { ProgramBenchmark } from './benchmark.ts';
import { onCore, run } from './command.ts';
import { DEVICE_CORE } from './device.ts';

const PROGRAM = fileURLToPath(new URL('./topology-program.js', import.meta.url));

const measure = async (...words: (string | number)[]): Promise<number> =>
  Number(await run(onCore(DEVICE_CORE, [process.execPath, PROGRAM, ...words.map(String)])));

const budget = (
  name: string,
  unit: string,
  limit: number,
  own: (measureMs: number) => Promise<number>,
): ProgramBenchmark => ({
  ...{ name, unit, atLeast: 1, moreIsBetter: false, own },
  peer: { name: 'budget', measure: () => Promise.resolve(limit) },
});

export const GTM_TOPOLOGY_BENCHMARKS: readonly ProgramBenchmark[] = [
  budget('topology-scores-1k-ipv4', 'ns', 120, (ms) => measure('score', 4, 1000, ms)),
  budget('topology-scores-1k-ipv6', 'ns', 120, (ms) => measure('score', 6, 1000, ms)),
  budget('topology-compile-10k', 'ms', 500, () => measure('compile', 10_000)),
];
