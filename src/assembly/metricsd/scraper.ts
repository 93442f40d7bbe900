// One scrape: all daemons are asked at once, each for what it shows, and what does not answer in time is told as that.

import { release } from 'node:os';
import { Counter, Gauge, Registry } from 'prom-client';
import { IpcClient } from '../../ipc/ipc-client.ts';
import { IpcError } from '../../ipc/ipc-error.ts';
import type { Processes } from '../../ipc/schema.ts';
import type { DaemonName } from '../../ipc/daemon-name.ts';
import { daemonSocket } from '../../supervise/daemon-table.ts';
import { FAMILIES, type Sample } from '../../core/metrics.ts';
import { SHOWN } from './row-samples.ts';

export type ScraperOptions = {
  /** State directory. */
  readonly state: string;
  readonly version: string;
  /** Throws an IpcError; undefined: there is no supervisor. */
  readonly processes: () => Promise<Processes | undefined>;
  /** Milliseconds that a daemon has. */
  readonly timeoutMs?: number;
};

/** Prometheus itself gives a scrape ten seconds, if nobody says otherwise. */
const TIMEOUT_MS = 8000;
/** How long a scrape is good for others who ask at the same time. */
const GOOD_FOR_MS = 500;

export class Scraper {
  readonly #options: ScraperOptions;
  #last: { readonly text: Promise<string>; readonly at: number } | undefined;

  constructor(options: ScraperOptions) {
    this.#options = options;
  }

  /** Text in Prometheus' format. Two that ask at once get the same. */
  scrape(): Promise<string> {
    const now = performance.now();
    if (this.#last === undefined || now - this.#last.at > GOOD_FOR_MS) this.#last = { text: this.#ask(), at: now };
    return this.#last.text;
  }

  async #ask(): Promise<string> {
    const asked = Object.keys(SHOWN).map((daemon) => this.#timed(daemon, () => this.#shown(daemon)));
    asked.push(this.#timed('supervisor', () => this.#supervised()));
    const samples = (await Promise.all(asked)).flat();
    samples.push({
      family: 'wideplane_info',
      labels: [this.#options.version, process.version, release()],
      value: 1,
    });
    return render(samples);
  }

  /** Its samples, and how long it took; none but those two when it fails. */
  async #timed(daemon: string, ask: () => Promise<Sample[]>): Promise<Sample[]> {
    const began = performance.now();
    let samples: Sample[] | undefined;
    try {
      samples = await ask();
    } catch (error) {
      if (!(error instanceof IpcError)) throw error;
    }
    return [
      ...(samples ?? []),
      { family: 'wideplane_scrape_success', labels: [daemon], value: samples === undefined ? 0 : 1 },
      {
        family: 'wideplane_scrape_duration_seconds',
        labels: [daemon],
        value: (performance.now() - began) / 1000,
      },
    ];
  }

  async #shown(daemon: string): Promise<Sample[]> {
    const client = await IpcClient.connect(daemonSocket(this.#options.state, daemon as DaemonName));
    const timer = setTimeout(() => client.close(), this.#options.timeoutMs ?? TIMEOUT_MS);
    try {
      const samples: Sample[] = [];
      for (const [type, samplesOf] of SHOWN[daemon]!) {
        let cursor: string | undefined;
        do {
          const { rows, next } = await client.request('show', { type, ...(cursor !== undefined && { cursor }) });
          for (const row of rows) samples.push(...samplesOf(row, type));
          cursor = next;
        } while (cursor !== undefined);
      }
      return samples;
    } finally {
      clearTimeout(timer);
      client.close();
    }
  }

  async #supervised(): Promise<Sample[]> {
    const processes = await this.#options.processes();
    if (processes === undefined) throw new IpcError('unreachable', 'no supervisor runs');
    return processes.daemons.flatMap(({ name, state, restarts, memoryOctets, sinceMs }) => [
      { family: 'wideplane_daemon_up', labels: [name], value: state === 'ready' ? 1 : 0 },
      { family: 'wideplane_daemon_restarts_total', labels: [name], value: restarts },
      ...(memoryOctets === undefined
        ? []
        : [{ family: 'wideplane_daemon_resident_memory_bytes', labels: [name], value: memoryOctets }]),
      ...(sinceMs === undefined
        ? []
        : [{ family: 'wideplane_daemon_start_time_seconds', labels: [name], value: sinceMs / 1000 }]),
    ]);
  }
}

/** The samples as text; several rows with the same labels, as pages of one table are, count together. */
async function render(samples: readonly Sample[]): Promise<string> {
  const registry = new Registry();
  const known = new Map<string, Gauge | Counter>();
  for (const { family, labels, value } of samples) {
    const { kind, help, labels: labelNames } = FAMILIES[family]!;
    let metric = known.get(family);
    if (metric === undefined) {
      const options = { name: family, help, labelNames: [...labelNames], registers: [registry] };
      metric = kind === 'gauge' ? new Gauge(options) : new Counter(options);
      known.set(family, metric);
    }
    const named = Object.fromEntries(labelNames.map((name, at) => [name, labels[at]!]));
    if (metric instanceof Gauge) metric.set(named, value);
    else metric.inc(named, Math.max(0, value));
  }
  return registry.metrics();
}

/** Content type of what a scrape gives. */
export const CONTENT_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;
