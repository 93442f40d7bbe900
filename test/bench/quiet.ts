// Was the machine quiet? Ratios hold only in a run that nobody disturbed.
//
// In each round the C forwarder is measured too: it never changes, so it tells what the machine gave at that moment.
// A round is quiet when the forwarder reached QUIET_MPPS. There are machines whose kernel cannot reach that at rest
// (some mitigations of speculative execution make every function return in the kernel expensive). On those, a round is
// quiet when nothing else ran before it, and the forwarder came close to the best that it reached in this run.

import { readFile } from 'node:fs/promises';

import { pause } from './command.ts';

/** What the C forwarder reaches with 64-octet frames on a quiet machine of the usual kind, in Mpps. */
export const QUIET_MPPS = 1.6;
const CLOSE_TO_BEST = 0.85;
const BUSY_LIMIT = 0.1;
const SAMPLE_MS = 250;
/** How long a round waits for the machine to come to rest. */
const PATIENCE_MS = 5000;

/** The state of the machine in one round. */
export type Control = {
  /** The C forwarder, 64-octet frames, in Mpps. */
  forwarderMpps: number;
  /** Share of both cores that was busy, or stolen by the hypervisor, just before the round. */
  busyBefore: number;
};

export function isQuiet(control: Control, bestMpps: number): boolean {
  if (control.forwarderMpps >= QUIET_MPPS) return true;
  return control.busyBefore <= BUSY_LIMIT && control.forwarderMpps >= CLOSE_TO_BEST * bestMpps;
}

/** Waits until the machine is at rest, for a while; returns the share of all cores that is still busy. */
export async function awaitRest(): Promise<number> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const busy = await measureBusy();
    if (busy <= BUSY_LIMIT || Date.now() > deadline) return busy;
  }
}

/** The share of all cores that is busy, or stolen, while the benchmark itself does nothing. */
async function measureBusy(): Promise<number> {
  const before = await readCpuTimes();
  await pause(SAMPLE_MS);
  const after = await readCpuTimes();
  return 1 - (after.idle - before.idle) / Math.max(1, after.total - before.total);
}

/** Ticks of all cores together, from /proc/stat (proc(5)): user nice system idle iowait irq softirq steal. */
async function readCpuTimes(): Promise<{ idle: number; total: number }> {
  const [line = ''] = (await readFile('/proc/stat', 'utf8')).split('\n');
  const ticks = line.trim().split(/\s+/).slice(1, 9).map(Number);
  return { idle: (ticks[3] ?? 0) + (ticks[4] ?? 0), total: ticks.reduce((sum, value) => sum + value, 0) };
}
