// Benchmarks of healthd as users have it against budgets: what thousands of probes cost the process that sends them.

import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import type { ProgramBenchmark } from './benchmark.ts';
import { type Command, onCore, pause, run, Running } from './command.ts';
import { cpuTimeOf } from './cpu-time.ts';
import { DEVICE_CORE, STATE, WIDEPLANE } from './device.ts';
import { proportionalOctets } from './large.ts';
import { TRAFFIC_CORE } from './traffic.ts';

const TARGETS = 5000;
const INTERVAL_S = 5;
/** Of all probes that are due, so many have to be sent, or the numbers are of less work. */
const LEAST_SENT = 0.98;
/** Addresses of this prefix are all this host's own. */
const PREFIX = '10.77.0.0/16';
const PORT = 8077;
const COUNTS = `http://127.0.0.1:${PORT}/counts`;

const directory = `${STATE}/healthd`;

const addressOf = (index: number): string => `10.77.${index >>> 8}.${index & 255}`;

function configuration(): string {
  const members = Array.from({ length: TARGETS }, (_, index) => `        ${addressOf(index + 1)}:${PORT} { }`);
  const request = String.raw`"GET / HTTP/1.1\r\nHost: bench\r\n"`;
  return (
    `ltm monitor http bench { interval ${INTERVAL_S} timeout 16 send ${request} recv "HTTP/1.1 200 OK.*well" }\n` +
    `ltm pool bench {\n    members {\n${members.join('\n')}\n    }\n    monitor /Common/bench\n}\n`
  );
}

async function startNginx(): Promise<Running> {
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${directory}/${name};`,
  );
  writeFileSync(
    `${directory}/nginx.conf`,
    `user root; daemon off; worker_processes 1; pid ${directory}/nginx.pid; error_log stderr;\n` +
      `events { worker_connections 8192; }\nhttp { access_log off; ${paths.join(' ')}\n` +
      `server { listen ${PORT} backlog=8192; location / { return 200 "all is well\\n"; } location /counts { stub_status; } } }\n`,
  );
  await run(['ip', 'route', 'replace', 'local', PREFIX, 'dev', 'lo']);
  return Running.start(onCore(Number(TRAFFIC_CORE), ['nginx', '-e', 'stderr', '-c', `${directory}/nginx.conf`]));
}

/** Requests that nginx has had so far. */
async function requests(): Promise<number> {
  const text = await (await fetch(COUNTS)).text();
  return Number(/^ \d+ \d+ (\d+)/m.exec(text)![1]);
}

type Cost = { readonly cores: number; readonly megabytes: number };

/** Once all targets have been probed a few times. */
async function measure(measureMs: number): Promise<Cost> {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(`${directory}/state`, { recursive: true, mode: 0o700 });
  writeFileSync(`${directory}/wideplane.conf`, configuration());
  const daemon = (...args: string[]): Command => [
    process.execPath,
    WIDEPLANE,
    'run',
    ...args,
    '--state',
    `${directory}/state`,
  ];
  const serves = (output: string): boolean => output.includes('serves ');
  const started: Running[] = [];
  try {
    started.push(await startNginx());
    started.push(await Running.start(daemon('configd', '--config', `${directory}/wideplane.conf`), serves));
    const healthd = await Running.start(onCore(DEVICE_CORE, daemon('healthd')), serves);
    started.push(healthd);
    await pause(3 * INTERVAL_S * 1000);
    const [before, cpuBefore, begun] = [await requests(), await cpuTimeOf(healthd.pid), performance.now()];
    await pause(Math.max(measureMs, 2 * INTERVAL_S * 1000));
    const [after, cpuAfter, ended] = [await requests(), await cpuTimeOf(healthd.pid), performance.now()];
    const due = ((ended - begun) / 1000 / INTERVAL_S) * TARGETS;
    if (after - before < LEAST_SENT * due) throw new Error(`of ${Math.round(due)} probes only ${after - before} were sent`);
    return {
      cores: Number(cpuAfter - cpuBefore) / 1e6 / (ended - begun),
      megabytes: (await proportionalOctets(healthd.pid)) / 1e6,
    };
  } finally {
    for (const each of started.reverse()) await each.stop();
  }
}

const budget = (name: string, unit: string, limit: number, pick: (cost: Cost) => number): ProgramBenchmark => ({
  ...{ name, unit, atLeast: 1, moreIsBetter: false },
  own: async (measureMs) => pick(await measure(measureMs)),
  peer: { name: 'budget', measure: () => Promise.resolve(limit) },
});

export const HEALTH_HTTP_BENCHMARKS: readonly ProgramBenchmark[] = [
  budget('health-http-5000', 'cores', 0.5, ({ cores }) => cores),
  budget('health-http-5000-memory', 'MB', 200, ({ megabytes }) => megabytes),
];
