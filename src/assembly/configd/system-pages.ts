// Answers `show sys …`. What concerns processes is known to the supervisor, which started them.

import { arch, cpus, freemem, hostname, release, totalmem, uptime } from 'node:os';
import type { Processes, ShowReply, ShowRow } from '../../ipc/schema.ts';
import { askSupervisor } from '../../supervise/device-client.ts';
import type { SystemTopic } from '../../tmsh/backend.ts';

/** Throws an IpcError. */
export async function showSystem(topic: SystemTopic, state: string, version: string): Promise<ShowReply> {
  switch (topic) {
    case 'version':
      return one({ Product: 'wideplane', Version: version, 'Node.js': process.version, Kernel: release() });
    case 'hardware':
      return one({
        Host: hostname(),
        Architecture: arch(),
        Processors: cpus().length,
        Processor: cpus()[0]?.model ?? 'unknown',
        Memory: megabytes(totalmem()),
        Kernel: release(),
      });
    case 'clock':
      return clock(await processes(state));
    case 'memory':
      return memory(await processes(state));
    case 'service':
      return services(await processes(state));
  }
}

/** Undefined when the daemons were started without a supervisor. */
const processes = (state: string): Promise<Processes | undefined> => askSupervisor(state, 'show-processes', {});

const one = (stats: NonNullable<ShowRow['stats']>): ShowReply => ({ rows: [{ name: '', stats }] });

function clock(all: Processes | undefined): ShowReply {
  const now = Date.now();
  return one({
    Time: time(now),
    'Program Uptime': all === undefined ? 'unknown: no supervisor runs' : duration(now - all.supervisor.sinceMs),
    'Machine Uptime': duration(uptime() * 1000),
  });
}

function memory(all: Processes | undefined): ShowReply {
  const rows = (all === undefined ? [] : [{ name: 'supervisor', ...all.supervisor }, ...all.daemons]).map(
    ({ name, memoryOctets }) => [name, memoryOctets === undefined ? 'not running' : megabytes(memoryOctets)],
  );
  if (all === undefined) rows.push(['configd', megabytes(process.memoryUsage.rss())]);
  const stats = { Total: megabytes(totalmem()), Free: megabytes(freemem()) };
  return { rows: [{ name: '', stats, table: { columns: ['Daemon', 'Resident'], rows } }] };
}

function services(all: Processes | undefined): ShowReply {
  const now = Date.now();
  if (all === undefined) {
    const stats = {
      State: 'running',
      ...running(process.pid, now - process.uptime() * 1000, process.memoryUsage.rss()),
    };
    const supervisor = { State: 'not running: configd was not started by wideplane up' };
    return {
      rows: [
        { name: 'supervisor', stats: supervisor },
        { name: 'configd', stats },
      ],
    };
  }
  const { pid, sinceMs, memoryOctets } = all.supervisor;
  const rows: ShowRow[] = [{ name: 'supervisor', stats: { State: 'running', ...running(pid, sinceMs, memoryOctets) } }];
  for (const daemon of all.daemons) {
    const { name, state, restarts, lastError } = daemon;
    const stats = {
      State: STATES[state],
      ...running(daemon.pid, daemon.sinceMs, daemon.memoryOctets),
      Restarts: restarts,
      'Last Error': lastError === undefined ? 'none' : `${lastError.text} (${time(lastError.atMs)})`,
    };
    rows.push({ name, stats });
  }
  return { rows };
}

const STATES: Readonly<Record<Processes['daemons'][number]['state'], string>> = {
  starting: 'starting',
  ready: 'running',
  waiting: 'waiting to be started again',
  stopped: 'stopped',
  refused: 'refused its configuration',
};

function running(
  pid: number | undefined,
  sinceMs: number | undefined,
  memoryOctets: number | undefined,
): NonNullable<ShowRow['stats']> {
  if (pid === undefined) return { PID: 'none' };
  return {
    PID: pid,
    Memory: memoryOctets === undefined ? 'unknown' : megabytes(memoryOctets),
    Uptime: sinceMs === undefined ? 'unknown' : duration(Date.now() - sinceMs),
  };
}

const megabytes = (octets: number): string => `${(octets / 1e6).toFixed(1)} MB`;

/** `2026-03-04 05:06:07 UTC`. */
const time = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`;

/** `2 days, 03:04:05`. */
function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const days = Math.floor(seconds / 86_400);
  const clockTime = [Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60, seconds % 60]
    .map((part) => String(part).padStart(2, '0'))
    .join(':');
  return days === 0 ? clockTime : `${days} ${days === 1 ? 'day' : 'days'}, ${clockTime}`;
}
