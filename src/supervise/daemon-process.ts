// One daemon as a child process: started, watched, started again when it dies, stopped.

import { spawn, type ChildProcess } from 'node:child_process';
import { createConnection } from 'node:net';
import type { Log } from '../core/log.ts';
import type { Processes } from '../ipc/schema.ts';
import { DaemonErrors, type DaemonRun } from './daemon-errors.ts';
import { LineSplitter } from './log-relay.ts';
import { residentOctets } from './process-memory.ts';
import { RestartSchedule } from './restart-policy.ts';

/** How long a daemon has to end by itself after SIGTERM. */
const STOP_DEADLINE_MS = 5000;
const READY_POLL_MS = 50;

/** EX_CONFIG of sysexits.h: the daemon cannot start with what it was given, and trying again is of no use. */
export const EXIT_CONFIGURATION = 78;

/** Asks a daemon to end for another that goes on where it was. */
export const RESTART_SIGNAL = 'SIGHUP';

export type DaemonCommand = {
  name: string;
  /** Program and arguments, privileges already dropped by them. */
  command: readonly string[];
  environment: NodeJS.ProcessEnv;
  /** The Unix socket on which it answers once it is ready. */
  socket: string;
};

export type DaemonReport = Processes['daemons'][number];

export type DaemonEvents = {
  line: (line: string, fromStderr: boolean) => void;
  /** It ended with EXIT_CONFIGURATION before it was ever ready. */
  refused: () => void;
  /** Its process has gone, however it was ended. */
  ended: () => void;
};

export class DaemonProcess {
  readonly #spec: DaemonCommand;
  readonly #events: DaemonEvents;
  readonly #log: Log;
  readonly #schedule = new RestartSchedule();
  readonly #errors = new DaemonErrors();
  /** When the process that runs was started, in ms since the epoch. */
  #sinceMs = 0;
  #child: ChildProcess | undefined;
  #state: DaemonReport['state'] = 'stopped';
  #everReady = false;
  #restarts = 0;
  #timer: NodeJS.Timeout | undefined;
  #readiness: Promise<void> = Promise.resolve();

  constructor(spec: DaemonCommand, events: DaemonEvents, log: Log) {
    this.#spec = spec;
    this.#events = events;
    this.#log = log;
  }

  report(): DaemonReport {
    const pid = this.#child && isAlive(this.#child) ? this.#child.pid : undefined;
    const memoryOctets = pid === undefined ? undefined : residentOctets(pid);
    const lastError = this.#errors.last;
    return {
      name: this.#spec.name,
      state: this.#state,
      restarts: this.#restarts,
      ...(pid === undefined ? {} : { pid, sinceMs: this.#sinceMs }),
      ...(memoryOctets === undefined ? {} : { memoryOctets }),
      ...(lastError === undefined ? {} : { lastError }),
    };
  }

  /** Starts it; resolves when it answers on its socket, or has died or been stopped before. */
  start(): Promise<void> {
    const [program, ...args] = this.#spec.command;
    const startedMs = performance.now();
    const child = spawn(program!, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      // A session of its own: a Ctrl-C on the terminal reaches `up` alone, which stops its daemons in order.
      detached: true,
      env: this.#spec.environment,
    });
    this.#child = child;
    this.#state = 'starting';
    this.#sinceMs = Date.now();
    const run = this.#errors.run();
    this.#forward(child.stdout, false, run);
    this.#forward(child.stderr, true, run);
    child.on('error', (error) => this.#log.error(`${this.#spec.name} cannot be started`, { reason: error.message }));
    child.on('exit', (code, signal) => this.#exited(run, startedMs, code, signal));
    if (child.pid === undefined) this.#exited(run, startedMs, null, null);
    else this.#log.info(`${this.#spec.name} started`, { pid: child.pid });
    this.#readiness = this.#awaitSocket(child, startedMs);
    return this.#readiness;
  }

  /** The signal, then SIGKILL after a deadline; resolves when it has gone. */
  async stop(signal: 'SIGTERM' | typeof RESTART_SIGNAL = 'SIGTERM'): Promise<void> {
    clearTimeout(this.#timer);
    const child = this.#child;
    this.#state = 'stopped';
    if (!child || !isAlive(child)) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    const deadline = setTimeout(() => {
      this.#log.warn(`${this.#spec.name} did not stop in time and is killed`, { pid: child.pid });
      child.kill('SIGKILL');
    }, STOP_DEADLINE_MS);
    await gone;
    clearTimeout(deadline);
  }

  /** Ends it at once, for the user who is tired of waiting. */
  kill(): void {
    this.#child?.kill('SIGKILL');
  }

  #forward(stream: NodeJS.ReadableStream | null, fromStderr: boolean, run: DaemonRun): void {
    const splitter = new LineSplitter((line) => {
      run.line(line, fromStderr);
      this.#events.line(line, fromStderr);
    });
    stream?.setEncoding('utf8');
    stream?.on('data', (text: string) => splitter.push(text));
    stream?.on('end', () => splitter.end());
  }

  #exited(run: DaemonRun, startedMs: number, code: number | null, signal: NodeJS.Signals | null): void {
    this.#events.ended();
    if (this.#state === 'stopped') return;
    const how = signal ? `was ended by ${signal}` : `ended with status ${code ?? 'unknown'}`;
    run.ended(how, signal !== null);
    if (code === EXIT_CONFIGURATION && !this.#everReady) {
      this.#state = 'refused';
      this.#log.error(`${this.#spec.name} ${how}: it cannot start with what it was given`);
      this.#events.refused();
      return;
    }
    const delayMs = this.#schedule.delayAfter(startedMs, performance.now(), this.#state === 'ready');
    this.#log.error(
      `${this.#spec.name} ${how} and is started again${delayMs > 0 ? ` in ${delayMs / 1000} s` : ' at once'}`,
    );
    this.#state = 'waiting';
    this.#restarts++;
    if (delayMs === 0) void this.start();
    else this.#timer = setTimeout(() => void this.start(), delayMs);
  }

  async #awaitSocket(child: ChildProcess, startedMs: number): Promise<void> {
    while (this.#child === child && this.#state === 'starting') {
      if (await accepts(this.#spec.socket)) {
        // A connection may have been accepted by the predecessor's last breath; this child must still be the one.
        if (this.#child !== child || !isAlive(child)) return;
        this.#state = 'ready';
        this.#everReady = true;
        this.#log.info(`${this.#spec.name} ready`, { ms: Math.round(performance.now() - startedMs) });
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, READY_POLL_MS));
    }
  }
}

const isAlive = (child: ChildProcess): boolean =>
  child.pid !== undefined && child.exitCode === null && child.signalCode === null;

/** Whether somebody listens on this Unix socket. */
function accepts(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = createConnection(socket);
    connection.once('connect', () => {
      connection.destroy();
      resolve(true);
    });
    connection.once('error', () => resolve(false));
  });
}
