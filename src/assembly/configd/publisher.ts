// Publishes the configuration to daemons, and knows what each of them runs.
//
// A subscriber that is slow gets fewer and larger diffs: each starts at the generation that was sent last, so nothing is
// queued for anybody.

import { diffObjects } from '../../config/change.ts';
import type { ConfigChange, Generation, ObjectMap } from '../../config/change.ts';
import type { AnyConfigObject } from '../../config/object-type.ts';
import { COMMENT } from '../../config/read-properties.ts';
import { logEvent } from '../../core/log-codes.ts';
import type { Log } from '../../core/log.ts';
import { objectLines } from '../../ipc/object-lines.ts';
import type { ApplyFailure, ParamsOf, ShowReply, ShowRow, Update } from '../../ipc/schema.ts';
import type { ConfigOwner } from './config-owner.ts';

/** Characters of text in one piece of an update: in UTF-8 and escaped as JSON it stays below a message's limit. */
const PIECE_CHARACTERS = 128 * 1024;

type DaemonState = {
  subscriptions: number;
  generation: Generation | undefined;
  failures: readonly ApplyFailure[];
};

export class Publisher {
  readonly #owner: ConfigOwner;
  readonly #log: Log;
  readonly #daemons = new Map<string, DaemonState>();
  /** The last difference from a configuration, for as long as that is known to somebody. */
  readonly #differences = new WeakMap<ObjectMap, { after: ObjectMap; changes: readonly ConfigChange[] }>();

  /** Those who wait until every daemon runs what configd has. */
  readonly #waiting = new Set<() => void>();

  constructor(owner: ConfigOwner, log: Log) {
    this.#owner = owner;
    this.#log = log;
  }

  /** A snapshot, then a diff for every change, until the signal; of objects of these types. */
  async *subscribe({ daemon, types }: ParamsOf<'subscribe'>, signal: AbortSignal): AsyncGenerator<Update, void> {
    const wanted = types && new Set(types);
    const isWanted = ({ type }: AnyConfigObject): boolean => wanted === undefined || wanted.has(type);
    const state = this.#daemons.get(daemon) ?? { subscriptions: 0, generation: undefined, failures: [] };
    this.#daemons.set(daemon, state);
    state.subscriptions += 1;
    try {
      let sent = this.#owner.generation;
      let views = this.#owner.configuration.views;
      yield* pieces({ update: 'snapshot', generation: sent }, snapshotLines(views, isWanted));
      for (;;) {
        await this.#owner.changed(sent.number, signal);
        if (signal.aborted) return;
        const from = sent;
        const before = views;
        sent = this.#owner.generation;
        views = this.#owner.configuration.views;
        yield* pieces({ update: 'diff', from, generation: sent }, changeLines(this.#changes(before, views), isWanted));
      }
    } finally {
      state.subscriptions -= 1;
    }
  }

  /** Made once for all daemons that run `before`. */
  #changes(before: ObjectMap, after: ObjectMap): readonly ConfigChange[] {
    const known = this.#differences.get(before);
    if (known?.after === after) return known.changes;
    const changes = diffObjects(before, after);
    this.#differences.set(before, { after, changes });
    return changes;
  }

  /** Whether a daemon gets the configuration, and so whether anything is done with it. */
  get hasSubscriber(): boolean {
    return [...this.#daemons.values()].some(({ subscriptions }) => subscriptions > 0);
  }

  acknowledge({ daemon, generation, failures }: ParamsOf<'acknowledge'>): void {
    const state = this.#daemons.get(daemon) ?? { subscriptions: 0, generation: undefined, failures: [] };
    this.#daemons.set(daemon, state);
    state.generation = generation;
    state.failures = failures;
    logEvent(this.#log, 'config-applied', `${daemon} runs generation ${generation.number}`, {
      daemon,
      failed: failures.length,
    });
    if (this.#waiting.size > 0 && this.#isSettled) for (const end of this.#waiting) end();
    for (const { object, reason } of failures) {
      logEvent(this.#log, 'config-apply-failed', `${daemon}: ${object}: ${reason}`, { daemon, object });
    }
  }

  /** Whether every daemon runs what configd has; one that has gone away does not. */
  get #isSettled(): boolean {
    const { epoch, number } = this.#owner.generation;
    return [...this.#daemons.values()].every(
      ({ subscriptions, generation }) =>
        subscriptions > 0 && generation?.number === number && generation.epoch === epoch,
    );
  }

  /** Resolves when every daemon runs what configd has, or after this time. */
  async settled(patienceMs: number): Promise<void> {
    if (this.#isSettled) return;
    await new Promise<void>((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(end);
        resolve();
      };
      const timer = setTimeout(end, patienceMs);
      this.#waiting.add(end);
    });
  }

  /** `show sys config status`. */
  status(): ShowReply {
    const { generation, configuration, file } = this.#owner;
    const own: ShowRow = {
      name: 'configd',
      stats: {
        Generation: text(generation),
        Objects: configuration.objects.size,
        'Unknown objects': configuration.unknown.filter(({ header }) => header !== COMMENT).length,
        File: file,
      },
    };
    const rows = [...this.#daemons].map(([name, state]): ShowRow => {
      const current = state.generation?.number === generation.number && state.generation.epoch === generation.epoch;
      const stats = {
        State: state.subscriptions === 0 ? 'disconnected' : current ? 'in sync' : 'applying',
        Generation: state.generation === undefined ? 'none' : text(state.generation),
        'Failed objects': state.failures.length,
      };
      if (state.failures.length === 0) return { name, stats };
      const failed = state.failures.map(({ object, reason }) => [object, reason]);
      return { name, stats, table: { columns: ['Object', 'Reason'], rows: failed } };
    });
    return { rows: [own, ...rows] };
  }
}

function text({ epoch, number }: Generation): string {
  return `${number} (epoch ${epoch})`;
}

type IsWanted = (object: AnyConfigObject) => boolean;

function* snapshotLines(views: ObjectMap, isWanted: IsWanted): Generator<string> {
  for (const object of views.values()) if (isWanted(object)) yield* objectLines(object);
}

function* changeLines(changes: readonly ConfigChange[], isWanted: IsWanted): Generator<string> {
  for (const { action, object } of changes) {
    if (!isWanted(object)) continue;
    const sent = action === 'delete' ? { type: object.type, name: object.name, properties: {} } : object;
    yield* objectLines(sent, { action });
  }
}

function* pieces(head: Omit<Update, 'text' | 'last'>, lines: Iterable<string>): Generator<Update> {
  let text = '';
  for (const line of lines) {
    text += `${line}\n`;
    while (text.length >= PIECE_CHARACTERS) {
      yield { ...head, text: text.slice(0, PIECE_CHARACTERS), last: false };
      text = text.slice(PIECE_CHARACTERS);
    }
  }
  yield { ...head, text, last: true };
}
