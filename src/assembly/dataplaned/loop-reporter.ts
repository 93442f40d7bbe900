// Says what the loop guard of the worker has found: a line of the log for each episode, and the loops that `show` lists.
//
// The worker only writes words to shared memory; names and sentences are made here, on the main thread.

import { readEpisodes } from '../../bridge/loop-guard.ts';
import type { Log } from '../../core/log.ts';
import { logEvent } from '../../core/log-codes.ts';
import { formatMacNumbers } from '../../core/mac.ts';
import type { Model } from './model.ts';
import type { Planner } from './planner.ts';

/** What is read, as it is at the moment of the question. */
export type LoopSources = {
  worker: { tables: { loops: SharedArrayBuffer } };
  planner: Pick<Planner, 'memberNames'>;
  model: Pick<Model, 'interfaceMembers'>;
};

export type Loop = {
  serial: number;
  isActive: boolean;
  domain: number;
  mac: string;
  /** The two that it moves between: a tunnel, or `VLAN on interface`. */
  members: readonly string[];
  moves: number;
  drops: number;
};

const LOOK_MS = 500;

/** The loops that were found, oldest first. */
export function loopsOf({ worker, planner, model }: LoopSources): Loop[] {
  const names = planner.memberNames();
  const nameOf = (member: number): string => {
    const key = names.get(member);
    return (key === undefined ? undefined : (model.interfaceMembers.get(key)?.name ?? key)) ?? `member ${member}`;
  };
  return readEpisodes(worker.tables.loops).map(({ members, macHigh, macLow, ...episode }) => ({
    ...episode,
    mac: formatMacNumbers(macHigh, macLow),
    members: members.map(nameOf),
  }));
}

export class LoopReporter {
  readonly #sources: () => LoopSources;
  readonly #log: Log;
  #timer: NodeJS.Timeout | undefined;
  #reported = 0;

  constructor(sources: () => LoopSources, log: Log) {
    this.#sources = sources;
    this.#log = log;
  }

  start(): void {
    this.#timer = setInterval(() => this.look(), LOOK_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Reports what has begun since the last look. */
  look(): void {
    for (const { serial, mac, members } of loopsOf(this.#sources())) {
      if (serial <= this.#reported) continue;
      this.#reported = serial;
      const [one, other] = members;
      const message = `${mac} moves to and fro between ${one} and ${other}: is there a loop? Flooding between them is limited`;
      logEvent(this.#log, 'loop-found', message, { mac, one, other });
    }
  }
}
