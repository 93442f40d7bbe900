// Benchmarks of dnsd against budgets, and of TCP against named.

import { writeFileSync } from 'node:fs';
import type { ProgramBenchmark } from './benchmark.ts';
import { onCore, run, Running } from './command.ts';
import { DEVICE_CORE, PROGRAMS } from './device.ts';
import { DnsDaemon } from './dns-daemon.ts';
import { PORT, prepare, startNamed, wideplaneCommand } from './dns.ts';
import { proportionalOctets } from './large.ts';
import { TRAFFIC_CORE } from './traffic.ts';

const RECORDS = 10_000;
const MANY = 1_000_000;
const RATE = 10_000;
const TCP_CONNECTIONS = 4;
const TCP_WINDOW = 256;

const budget = (
  name: string,
  unit: string,
  limit: number,
  own: (measureMs: number) => Promise<number>,
): ProgramBenchmark => ({
  ...{ name, unit, atLeast: 1, moreIsBetter: false, own },
  peer: { name: 'budget', measure: () => Promise.resolve(limit) },
});

async function withDaemon<T>(records: number, use: (daemon: DnsDaemon) => Promise<T>): Promise<T> {
  const daemon = await DnsDaemon.start(records);
  try {
    return await use(daemon);
  } finally {
    await daemon.stop();
  }
}

type Load = { answersPerSecond?: number; p99Us?: number; answered?: number };

async function load(directory: string, seconds: number, more: readonly string[]): Promise<Load> {
  const where = ['--port', String(PORT), '--questions', `${directory}/questions.txt`, '--core', TRAFFIC_CORE];
  return JSON.parse(await run([`${PROGRAMS}/dns-load`, ...where, '--seconds', String(seconds), ...more])) as Load;
}

/** Megabytes of the process that answers, once it has been asked a while. */
const memoryOf = (records: number) => (): Promise<number> =>
  withDaemon(records, async ({ pid, directory }) => {
    await load(directory, 2, ['--window', '256']);
    return (await proportionalOctets(pid)) / 1e6;
  });

/** Seconds to read a million records again, while every query is answered. */
const measureReload = (): Promise<number> =>
  withDaemon(MANY, async (daemon) => {
    const start = performance.now();
    const asked = load(daemon.directory, 10, ['--rate', '2000']);
    await daemon.reload();
    const seconds = (performance.now() - start) / 1000;
    const { answered } = await asked;
    if (answered !== 1) throw new Error(`of all queries only ${String(answered)} were answered during the reload`);
    return seconds;
  });

/** The 99th percentile in milliseconds while the main thread stands still for 20 of every 100 ms. */
async function measureBlocked(measureMs: number): Promise<number> {
  const directory = prepare({});
  const command = wideplaneCommand('127.0.0.1', 'blocked');
  const running = await Running.start(onCore(DEVICE_CORE, command), (output) => output.includes('ready'));
  try {
    await load(directory, 1, ['--window', '256']);
    return (await load(directory, measureMs / 1000, ['--rate', String(RATE)])).p99Us! / 1000;
  } finally {
    await running.stop();
  }
}

/** Thousands of answers a second on connections that stay, as dnsperf counts them. */
async function answersOverTcp(directory: string, measureMs: number): Promise<number> {
  const questions = `${directory}/questions-dnsperf.txt`;
  const text = await run(['sed', 's/ 1$/ A/', `${directory}/questions.txt`]);
  writeFileSync(questions, text);
  const how = ['-m', 'tcp', '-c', String(TCP_CONNECTIONS), '-q', String(TCP_WINDOW), '-T', '1'];
  const where = ['-s', '127.0.0.1', '-p', String(PORT), '-d', questions];
  const ask = (seconds: number): Promise<string> =>
    run(onCore(Number(TRAFFIC_CORE), ['dnsperf', ...how, ...where, '-l', String(seconds)]));
  await ask(1);
  const printed = await ask(Math.max(1, Math.round(measureMs / 1000)));
  const perSecond = /Queries per second: +([\d.]+)/.exec(printed)?.[1];
  const lost = /Queries lost: +(\d+)/.exec(printed)?.[1];
  if (perSecond === undefined || lost !== '0') throw new Error(`dnsperf lost queries:\n${printed}`);
  return Number(perSecond) / 1000;
}

export const DNS_BUDGETS: readonly ProgramBenchmark[] = [
  budget('dns-blocked-main', 'ms', 3, measureBlocked),
  budget('dns-memory-10k', 'MB', 75, memoryOf(RECORDS)),
  budget('dns-memory-1m', 'MB', 220, memoryOf(MANY)),
  budget('dns-load-1m', 's', 6, measureReload),
  {
    ...{ name: 'dns-tcp-vs-named', unit: 'k answers/s', atLeast: 1, moreIsBetter: true },
    own: (measureMs) => withDaemon(RECORDS, ({ directory }) => answersOverTcp(directory, measureMs)),
    peer: {
      name: 'named',
      measure: async (measureMs) => {
        const { directory, running } = await startNamed();
        try {
          return await answersOverTcp(directory, measureMs);
        } finally {
          await running.stop();
        }
      },
    },
  },
];
