// A `wideplane up` under test: its log as records, its processes, its end.

import assert from 'node:assert/strict';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Processes } from '../../../src/ipc/schema.ts';
import { LineSplitter } from '../../../src/supervise/log-relay.ts';
import { askSupervisor } from '../../../src/supervise/device-client.ts';
import { isRunning } from '../../../src/supervise/state-lock.ts';
import { EXECUTABLE } from '../../support/executable.ts';

export type LogRecord = { level: string; daemon: string; msg: string; pid?: number };

const FAKES = fileURLToPath(new URL('./up-of-fakes.js', import.meta.url));

/** Waits until `condition` gives something; fails with `what` after `timeoutMs`. */
export async function eventually<Result>(
  what: string,
  condition: () => Result | undefined | false | Promise<Result | undefined | false>,
  timeoutMs = 15_000,
): Promise<Result> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const asked = performance.now();
    const result = await condition();
    if (result !== undefined && result !== false) return result;
    const now = performance.now();
    assert.ok(now < deadline, `not within ${timeoutMs} ms: ${what}`);
    // Whoever starts a program to ask leaves half of the processors to those that are waited for.
    await delay(Math.max(10, Math.min(1000, now - asked)));
  }
}

const LAST_WORDS_MS = 1000;

/** Six daemons start one after the other. */
const READY_MS = 45_000;

/** A temporary state directory. */
export const makeState = (): string => mkdtempSync(join(tmpdir(), 'wideplane-supervise-'));

export const removeState = (state: string): void => rmSync(state, { recursive: true, force: true });

export const run = (...command: string[]): string =>
  execFileSync(command[0]!, command.slice(1), { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

export type StartOptions = {
  /** A named network namespace to run in; default: that of the test. */
  namespace?: string;
  force?: boolean;
  /** A command in front, such as setpriv. */
  prefix?: readonly string[];
  environment?: NodeJS.ProcessEnv;
  /** Start the real daemons with this configuration instead of those that do nothing. */
  config?: string;
  /** Of the real daemons, those to be started besides configd. */
  only?: readonly string[];
};

export class RunningUp {
  readonly state: string;
  readonly log: LogRecord[] = [];
  readonly #child: ChildProcess;
  readonly #exit: Promise<number | string>;

  constructor(state: string, options: StartOptions = {}) {
    this.state = state;
    const { config, only } = options;
    const what =
      config === undefined
        ? [FAKES, state]
        : [EXECUTABLE, 'up', '--state', state, '--log-format', 'json', '--config', config];
    const command = [...(options.prefix ?? []), process.execPath, ...what];
    if (options.force) command.push('--force');
    if (only !== undefined) command.push('--only', only.join(','));
    if (options.namespace !== undefined) command.unshift('ip', 'netns', 'exec', options.namespace);
    const child = spawn(command[0]!, command.slice(1), {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...options.environment },
    });
    const splitter = new LineSplitter((line) => this.log.push(JSON.parse(line) as LogRecord));
    child.stdout.setEncoding('utf8').on('data', (text: string) => splitter.push(text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => process.stderr.write(text));
    const ended = new Promise<void>((resolve) => child.stdout.on('end', () => resolve()));
    this.#exit = new Promise((resolve) => {
      // What it said last is read by then, unless somebody whom it left behind keeps the stream open.
      child.on('exit', (code, signal) => {
        void Promise.race([ended, delay(LAST_WORDS_MS, undefined, { ref: false })]).then(() =>
          resolve(code ?? signal ?? 'unknown'),
        );
      });
    });
    this.#child = child;
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** Waits for a log line whose message matches. */
  async said(pattern: RegExp, timeoutMs?: number): Promise<LogRecord> {
    return eventually(`log line ${String(pattern)}`, () => this.log.find(({ msg }) => pattern.test(msg)), timeoutMs);
  }

  async ready(): Promise<void> {
    await this.said(/^metricsd ready/, READY_MS);
  }

  async processes(): Promise<Processes> {
    const processes = await askSupervisor(this.state, 'show-processes', {});
    assert.ok(processes, 'the supervisor does not answer');
    return processes;
  }

  /** The process id of a daemon that is ready. */
  async daemon(name: string): Promise<number> {
    return eventually(`${name} ready`, async () => {
      const daemon = (await this.processes()).daemons.find((other) => other.name === name);
      return daemon?.state === 'ready' ? daemon.pid : undefined;
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Its exit status, or the signal that ended it. */
  exit(): Promise<number | string> {
    return this.#exit;
  }

  async stop(): Promise<number | string> {
    this.signal('SIGTERM');
    return this.exit();
  }

  /** kill -9, and waits until nothing that speaks of its state directory is left. */
  async killAndVanish(): Promise<void> {
    const own = this.family();
    assert.ok(own.length >= 3, `only ${own.length} processes: a supervisor, a guardian and daemons were expected`);
    this.signal('SIGKILL');
    await this.#exit;
    await eventually('all its processes gone', () => own.every((pid) => !isRunning(pid)) && this.family().length === 0);
  }

  /** All processes whose command line names the state directory. */
  family(): number[] {
    return readdirSync('/proc')
      .filter((entry) => /^\d+$/.test(entry))
      .filter((pid) => {
        try {
          return (
            readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(this.state) && isRunning(Number(pid))
          );
        } catch {
          return false;
        }
      })
      .map(Number);
  }
}

/** Starts one for the length of `body`, and removes its state directory. */
export async function withUp(options: StartOptions, body: (up: RunningUp) => Promise<void>): Promise<void> {
  const state = makeState();
  const up = new RunningUp(state, options);
  try {
    await body(up);
  } finally {
    up.signal('SIGTERM');
    await up.exit();
    removeState(state);
  }
}
